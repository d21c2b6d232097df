"""All units of networks on MNIST whose behaviors are known."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch

from nbkit.method.checks import checked_whole
from nbkit.method.truth.unit import Background, LabeledUnit
from nbkit.mnist.cnn import cnn_for
from nbkit.mnist.images import CLASSES, load_mnist
from nbkit.mnist.mlp import mlp_for
from nbkit.studies.ground_truth.digit_units import digit_units
from nbkit.studies.ground_truth.image_layers import cnn_layers, maps_of, mlp_layer
from nbkit.studies.ground_truth.image_units import cornered_units, merged_image_units

SIDES = (2, 4)
"""Of corner patches, in pixels."""


def image_units(
    mlp_seeds: Sequence[int] = (0, 1, 2, 3),
    cnn_seeds: Sequence[int] = (0, 1),
    n_images: int = 4_000,
    most: int | None = None,
) -> list[LabeledUnit]:
    """Tasks "images", "corner patches" and "digits": see `merged_image_units`, `cornered_units` and `digit_units`.

    The networks are those of `mlp_for` and `cnn_for`. Digits are read out of the hidden activations of an MLP, and of
    the maps that the hidden layer of a convolutional network reads; which digits go together is drawn with the
    network's seed.

    Args:
        mlp_seeds: of the MLPs.
        cnn_seeds: of the convolutional networks.
        n_images: the first test images, which no network has seen.
        most: units of each layer and difficulty of the first two tasks; None for all.

    Raises:
        NbkitError: MNIST can't be fetched, there are not so many images, or the cache folder can't be written.
    """
    mnist = load_mnist()
    n_images = checked_whole("n_images", n_images, 2 * CLASSES, len(mnist.test_images))
    images, digits = mnist.test_images[:n_images], mnist.test_labels[:n_images].numpy()
    units = []
    for seed in mlp_seeds:
        name, mlp = f"MLP of seed {seed}", mlp_for(seed)
        units += merged_image_units([mlp_layer(mlp, images, name)], most=most)
        for side in SIDES:
            units += cornered_units(mlp, images, name, side, most=most, background=_pixels(n_images))
        with torch.inference_mode():
            units += digit_units(mlp.hidden(images).numpy(), digits, name, seed=seed)
    for seed in cnn_seeds:
        name, cnn = f"CNN of seed {seed}", cnn_for(seed)
        units += merged_image_units(cnn_layers(cnn, images, name), most=most)
        units += digit_units(maps_of(cnn, images), digits, name, seed=seed)
    return units


@lru_cache(maxsize=1)  # one for all MLPs, which read the same, and so what is learned from it
def _pixels(n_images: int) -> Background:
    return Background(load_mnist().test_images[:n_images].numpy())
