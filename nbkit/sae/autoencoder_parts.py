"""What is found in the files of an autoencoder."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from nbkit.sae.architecture import Architecture
from nbkit.sae.hooks import Hooks


class Found(NamedTuple):
    """All that an autoencoder is made from."""

    architecture: Architecture
    """All that the weights don't say."""
    tensors: dict[str, Tensor]
    """The weights, under the names of `Architecture.shapes`."""
    hooks: Hooks = Hooks()
    """Where in a language model its vectors are."""
