"""A small convolutional network on MNIST: two convolutions, a hidden layer, ten digits."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nbkit.mnist.images import CLASSES, SIDE, Mnist, load_mnist, pixels
from nbkit.mnist.training import fit, kept
from nbkit.parallel.threads import one_thread

KERNEL = 5
"""Side of the square patches that a channel reads."""
CHANNELS = (8, 16)
"""Of the first and the second convolution."""
UNITS = 32
"""Of the hidden layer behind them."""
LAYERS = ("conv1", "conv2", "hidden")
"""The layers that a ReLU follows, by the names of their modules."""
CNN_RECIPE = {
    "learning_rate": 1.0,
    "falls_by": 0.3,
    "weight_decay": 0.0,
    "batch_size": 64,
    "epochs": 2,
}
"""Adadelta, whose learning rate falls by a factor after each epoch."""


class MnistCNN(nn.Module):
    """Convolution, ReLU and pooling twice, then a hidden layer of ReLU units and ten outputs.

    It reads pixels in [0, 1], so that paper is zero and adds nothing to any channel: what a channel answers to is ink.
    """

    def __init__(self, seed: int = 0) -> None:
        """Random weights, as PyTorch's layers have them."""
        super().__init__()
        first, second = CHANNELS
        side = ((SIDE - KERNEL + 1) // 2 - KERNEL + 1) // 2  # of a map behind the second pooling
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.conv1 = nn.Conv2d(1, first, KERNEL)
            self.conv2 = nn.Conv2d(first, second, KERNEL)
            self.hidden = nn.Linear(second * side**2, UNITS)
            self.out = nn.Linear(UNITS, CLASSES)
        self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(2)

    def forward(self, images: Float[Tensor, "b 1 28 28"]) -> Float[Tensor, "b 10"]:
        """The logits of the digits."""
        maps = self.pool(self.relu(self.conv1(images)))  # (b, 8, 12, 12)
        maps = self.pool(self.relu(self.conv2(maps)))  # (b, 16, 4, 4)
        logits: Tensor = self.out(self.relu(self.hidden(maps.flatten(1))))
        return logits


def cnn_inputs(images: Float[Tensor, "b 784"]) -> Float[Tensor, "b 1 28 28"]:
    """Normalized images as the network reads them."""
    return pixels(images).view(-1, 1, SIDE, SIDE)


def train_cnn(mnist: Mnist, seed: int = 0, progress: bool = True) -> MnistCNN:
    """Trains the network by `CNN_RECIPE`, in one thread: a second one gains little and, where others are at work too,
    waits more than it computes; and weights that don't depend on the number of threads can be made again elsewhere.

    Args:
        mnist: whose training images are learned.
        seed: of the weights and of the order of the images.
        progress: whether to show a bar.
    """
    # so much faster on the processor, and the same numbers but for rounding
    cnn: MnistCNN = MnistCNN(seed).to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss(images: Float[Tensor, "b 784"], labels: Int[Tensor, " b"]) -> Float[Tensor, ""]:
        return cross_entropy(cnn(cnn_inputs(images)), labels)

    with one_thread():
        return fit(cnn, loss, mnist, CNN_RECIPE, seed, "CNN", progress)


def cnn_for(seed: int = 0) -> MnistCNN:
    """The network of a seed, trained on the first call and kept in the cache folder.

    Raises:
        NbkitError: MNIST can't be fetched, or the cache folder can't be written.
    """
    recipe = {**CNN_RECIPE, "kernel": KERNEL, "channels": CHANNELS, "units": UNITS}
    return kept(MnistCNN(seed), "cnns", recipe, seed, lambda: train_cnn(load_mnist(), seed, progress=False))
