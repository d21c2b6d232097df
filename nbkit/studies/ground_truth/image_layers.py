"""Layers of the networks on MNIST: what their units read of images that no network was trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from nbkit.mnist.cnn import LAYERS, MnistCNN, cnn_inputs
from nbkit.mnist.mlp import MnistMLP
from nbkit.units.patches import by_position, read_by
from nbkit.units.watching import watched

IMAGE_SHARE = 0.75
"""An image is an example of a unit if it activates the unit by at least this share of its maximum, as in an atlas."""
IMAGES_AT_ONCE = 500


@dataclass(frozen=True, eq=False)
class ImageLayer:
    """A layer's units, and what each of them read in its own dataset examples."""

    name: str
    weights: Float[np.ndarray, "m d"]
    examples: list[Float[np.ndarray, "n_i d"]]
    """A convolution's channel reads a patch: that of the image on which it is strongest."""


def mlp_layer(mlp: MnistMLP, images: Float[Tensor, "n 784"], name: str) -> ImageLayer:
    """The hidden layer of an MLP, which reads pixels; images as `Mnist` has them."""
    with torch.inference_mode():
        activations = mlp.hidden(images).numpy()
    read = images.numpy()
    return ImageLayer(name, mlp.into.weight.detach().numpy(), [read[fires] for fires in _fires(activations)])


def cnn_layers(cnn: MnistCNN, images: Float[Tensor, "n 784"], name: str) -> list[ImageLayer]:
    """The two convolutions and the hidden layer of a convolutional network; images as `Mnist` has them."""
    modules = {layer: cnn.get_submodule(layer) for layer in LAYERS}
    read: list[list[Tensor]] = [[] for _ in modules]
    gave: list[list[Tensor]] = [[] for _ in modules]

    def take(number: int, reads: Tensor, gives: Tensor) -> None:
        layer = modules[LAYERS[number]]
        vectors, values = read_by(layer, reads), by_position(layer, gives)  # (b, positions, width or units)
        strongest, best = values.max(1)  # (b, units)
        gave[number].append(strongest)
        # a view where all units read one vector
        read[number].append(
            vectors.expand(-1, best.shape[1], -1)
            if vectors.shape[1] == 1
            else vectors[torch.arange(len(best))[:, None], best]
        )

    with watched(cnn, modules, take) as run:
        for batch in cnn_inputs(images).split(IMAGES_AT_ONCE):
            run(batch)
    layers = []
    for number, layer in enumerate(LAYERS):
        fires = _fires(torch.cat(gave[number]).numpy())
        examples = [
            torch.cat(
                [
                    part[on, unit]
                    for part, on in zip(read[number], torch.from_numpy(which).split(IMAGES_AT_ONCE), strict=True)
                ]
            )
            for unit, which in enumerate(fires)
        ]
        weights = modules[layer].get_parameter("weight").detach().flatten(1)
        layers.append(ImageLayer(f"{name} {layer}", weights.numpy(), [each.numpy() for each in examples]))
    return layers


def maps_of(cnn: MnistCNN, images: Float[Tensor, "n 784"]) -> Float[np.ndarray, "n 256"]:
    """What the hidden layer of a convolutional network reads."""
    found: list[Tensor] = []
    hidden: dict[str, nn.Module] = {"hidden": cnn.hidden}
    with watched(cnn, hidden, lambda _, reads, __: found.append(reads)) as run:
        for batch in cnn_inputs(images).split(IMAGES_AT_ONCE):
            run(batch)
    return torch.cat(found).numpy()


def _fires(activations: Float[np.ndarray, "n m"]) -> list[np.ndarray]:
    """Of each unit which images are its examples; none of a unit that is never active."""
    top = activations.max(axis=0)
    return list(((activations >= IMAGE_SHARE * top) & (activations > 0)).T)
