"""The atlas of the convolutional network on MNIST, beside the network that it is of."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from nbkit.assets import cache_folder
from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.manifest import ATLAS_SCHEMA, MANIFEST
from nbkit.files import sha256_of_tensors
from nbkit.method.checks import checked_whole
from nbkit.mnist.cnn import CHANNELS, LAYERS, UNITS, MnistCNN, cnn_for, cnn_inputs
from nbkit.mnist.images import CLASSES, Mnist, load_mnist
from nbkit.mnist.mlp import accuracy
from nbkit.units.modules import atlas_from_module
from nbkit.units.patches import by_position, read_by
from nbkit.units.watching import watched

CNN_TITLE = f"a convolutional network of {CHANNELS[0]} and {CHANNELS[1]} channels and {UNITS} hidden units"


@dataclass(frozen=True, eq=False)
class Channels:
    """A network, what it reads, and the atlas of its channels and hidden units."""

    cnn: MnistCNN
    inputs: Float[Tensor, "n 1 28 28"]
    atlas: Atlas
    """Its sites are the layers of `LAYERS`."""
    accuracy: float
    """The share of the 10,000 test images that it gets right."""

    @property
    def digits(self) -> Int[np.ndarray, " n"]:
        """What stands for the digit of each image: its token in the atlas."""
        return np.asarray(self.atlas.tokens[:, 0])

    def in_place(self, site: int, embedding: Float[np.ndarray, " width"]) -> Float[np.ndarray, "h w"]:
        """An embedding summed over the maps that a unit reads: what each of their places adds to the pre-activation."""
        layer = self.cnn.get_submodule(LAYERS[site])
        n_maps = layer.in_channels if isinstance(layer, nn.Conv2d) else CHANNELS[-1]
        side = math.isqrt(len(embedding) // n_maps)
        return np.asarray(embedding.reshape(n_maps, side, side).sum(axis=0))

    def strongest_patches(self, site: int, images: Int[np.ndarray, " m"]) -> Float[np.ndarray, "m units width"]:
        """Of each image and each unit of a site the vector at the position where the unit is strongest.

        A convolution reads a patch there; a hidden unit has one position in an image.
        """
        found: list[Tensor] = []
        name = LAYERS[site]
        layer = self.cnn.get_submodule(name)

        def take(_: int, read: Tensor, gave: Tensor) -> None:
            vectors, values = read_by(layer, read), by_position(layer, gave)
            best = values.argmax(1)  # (m, units)
            found.append(vectors[torch.arange(len(best))[:, None], best])

        with watched(self.cnn, {name: layer}, take) as run:
            run(self.inputs[torch.from_numpy(images)])
        return found[0].numpy()


def channels_of(seed: int = 0, n_images: int = 10_000, progress: bool = True) -> Channels:
    """The network that `cnn_for` trains with a seed, and its atlas on the first test images, by the paper's embedding,
    kept in the cache folder.

    Raises:
        NbkitError: MNIST can't be fetched, there are not so many images, or the cache folder can't be written.
    """
    mnist, cnn = load_mnist(), cnn_for(seed)
    n_images = checked_whole("n_images", n_images, CLASSES, len(mnist.test_images))
    # images are small: larger batches than of text
    config = AtlasConfig(batch_size=50, block_size=500, seed=seed)
    identity = [ATLAS_SCHEMA, sha256_of_tensors(cnn.state_dict().items()), n_images, asdict(config)]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:10]
    folder = cache_folder() / "atlases" / f"mnist-cnn-{digest}"
    inputs = cnn_inputs(mnist.test_images[:n_images])
    if (folder / MANIFEST).is_file():
        atlas = open_atlas(folder)
    else:
        atlas = atlas_from_module(
            cnn,
            LAYERS,
            inputs,
            folder,
            labels=mnist.test_labels[:n_images],
            name="CNN on MNIST",
            corpus="MNIST test images",
            config=replace(config, embedding="paper"),  # not of the identity: what is there keeps its name
            progress=progress,
        )
    return Channels(cnn, inputs, atlas, _accuracy(cnn, mnist))


def _accuracy(cnn: MnistCNN, mnist: Mnist) -> float:
    with torch.inference_mode():
        return accuracy(torch.cat([cnn(cnn_inputs(part)) for part in mnist.test_images.split(1000)]), mnist.test_labels)
