"""Contestants in a basis that an autoencoder learns from the layer's vectors, without a unit or a label."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial

import numpy as np
import torch
from jaxtyping import Float

from nbkit.method.truth.contestants import Embed, contributions
from nbkit.method.truth.unit import Background, Features, Unit
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.config import SaeConfig
from nbkit.sae.training import train_sae

D_SAE, K = 240, 6
"""Latents, and how many of them are active: twice the features and twice the active ones of the plain toy."""
EPOCHS = 128
"""2,000 steps of 256 vectors over the background of a toy."""


@lru_cache(maxsize=16)
def autoencoder_of(background: Background, d_sae: int, k: int, epochs: int, seed: int = 0) -> SparseAutoencoder:
    """A TopK autoencoder of a background, once for each; without an epoch, the one that training begins with."""
    vectors = torch.from_numpy(background.vectors).float()
    if not epochs:
        return SparseAutoencoder(vectors.shape[1], d_sae, activation="topk", k=k, seed=seed)
    config = SaeConfig(
        d_sae=d_sae,
        activation="topk",
        k=k,
        l1=0,
        weight_decay=0,
        batch_size=256,
        learning_rate=3e-3,
        epochs=epochs,
        seed=seed,
    )
    return train_sae(vectors, config, progress=False)


def learned_features(unit: Unit, d_sae: int = D_SAE, k: int = K, epochs: int = EPOCHS, seed: int = 0) -> Features:
    """The latents of what a unit reads, and their directions."""
    sae = autoencoder_of(unit.background, d_sae, k, epochs, seed)
    codes = sae.encode(torch.from_numpy(np.asarray(unit.read)).float()).detach()
    return Features(codes.numpy(), sae.w_dec.detach().numpy())


def learned_basis(
    unit: Unit, d_sae: int = D_SAE, k: int = K, epochs: int = EPOCHS, seed: int = 0
) -> Float[np.ndarray, "n d_sae"]:
    """Equation 1 in the basis of the autoencoder's latents: how much each adds to the pre-activation."""
    return contributions(learned_features(unit, d_sae, k, epochs, seed), unit)


def learned_codes(
    unit: Unit, d_sae: int = D_SAE, k: int = K, epochs: int = EPOCHS, seed: int = 0
) -> Float[np.ndarray, "n d_sae"]:
    """The latents, whatever the unit makes of them."""
    return learned_features(unit, d_sae, k, epochs, seed).codes


LEARNED: Mapping[str, Embed] = {
    "learned features": learned_basis,
    "learned codes": learned_codes,
    "learned features, not trained": partial(learned_basis, epochs=0),
}
"""Contestants by name, beside those of `nbkit.method.truth.contestants`."""
