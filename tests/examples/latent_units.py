"""Latents of two small autoencoders of a tiny model: units that are no neurons, at sites of different sizes."""

from __future__ import annotations

from nbkit.models import LanguageModel
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.units.latents import SaeLatents, sae_latents
from tests.examples.tiny_models import D_MODEL

SIZES = (20, 9)
"""Latents of each site; their shards of 16 hold some of both."""


def tiny_latents(model: LanguageModel) -> SaeLatents:
    """Those of the residual stream, whose decoder writes there, and of what an MLP reads, whose decoder doesn't."""
    stream, read = (SparseAutoencoder(D_MODEL, size, "topk", k=4, seed=size) for size in SIZES)
    return sae_latents(model, {"blocks.1.hook_resid_post": stream, "blocks.0.mlp.hook_in": read})
