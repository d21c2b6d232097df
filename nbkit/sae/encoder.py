"""What can be evaluated: anything whose latents read inputs by weights."""

from __future__ import annotations

from typing import Protocol

from jaxtyping import Float
from torch import Tensor

from nbkit.sae.autoencoder import SparseAutoencoder


class Encoder(Protocol):
    """A sparse autoencoder, or a layer of neurons (which has no decoder)."""

    @property
    def w_enc(self) -> Float[Tensor, "d_in m"]:
        """The input weights of m latents."""

    def encode(self, h: Float[Tensor, "b d_in"]) -> Float[Tensor, "b m"]:
        """Their activations, at least 0."""


def received(sae: Encoder, h: Float[Tensor, "n d_in"]) -> Float[Tensor, "n d_in"]:
    """What the input weights receive of inputs: an autoencoder may normalize them first."""
    return sae.received(h) if isinstance(sae, SparseAutoencoder) else h
