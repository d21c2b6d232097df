"""The hidden layer of the MLP on MNIST: what the sparse autoencoders of the book's second part read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nbkit.mnist.images import MEAN, STD, load_mnist, pixels
from nbkit.mnist.mlp import MnistMLP, mlp_for


@dataclass(frozen=True, eq=False)
class Hidden:
    """A trained MLP with the activations of its hidden layer."""

    mlp: MnistMLP
    train: Float[Tensor, "n_train 64"]
    test: Float[Tensor, "n_test 64"]
    test_labels: Int[Tensor, " n_test"]
    test_pixels: Float[Tensor, "n_test 784"]
    """The test images, in [0, 1]."""

    @property
    def test_images(self) -> Float[Tensor, "n_test 784"]:
        """The test images as the MLP reads them."""
        images: Tensor = (self.test_pixels - MEAN) / STD
        return images

    def readout(self, hidden: Float[Tensor, "b 64"]) -> Float[Tensor, "b 10"]:
        """The logits that the rest of the MLP makes of the hidden layer."""
        logits: Tensor = self.mlp.readout(hidden)
        return logits


@lru_cache(maxsize=2)
def hidden_of(seed: int = 0) -> Hidden:
    """The hidden layer of the MLP that `mlp_for` trains with a seed.

    Raises:
        NbkitError: MNIST can't be fetched.
    """
    mnist, mlp = load_mnist(), mlp_for(seed)
    with torch.inference_mode():
        train, test = mlp.hidden(mnist.train_images), mlp.hidden(mnist.test_images)
    return Hidden(mlp, train.clone(), test.clone(), mnist.test_labels, pixels(mnist.test_images))
