"""Contestants in a basis that an autoencoder learned from the layer's vectors, without a unit or a label."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float

from nbkit.method.embeddings import neuron_embeddings
from nbkit.method.feature_basis import feature_contributions, feature_embeddings, side_by_side
from nbkit.method.truth.contestants import Embed, centered
from nbkit.method.truth.unit import Background, Features, Unit
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.config import SaeConfig
from nbkit.studies.shared.scaled_training import start_scaled, topk_config, train_scaled

Dictionary = Callable[[Unit], Features]
"""What a dictionary finds in the vectors that a unit reads."""


FEATURES, JOINT = "features", "centered + features"
"""Contestants: in the basis of an autoencoder's features, alone and beside the centered vector."""
STEPS_IN_LAYER = 1_000
"""Of 256 vectors each."""
ON_TOYS = topk_config(d_sae=240, k=6, epochs=128, learning_rate=3e-3)
"""Twice the features and twice the active ones of the plain toy; 2,000 steps of 256 over its background."""


@lru_cache(maxsize=16)
def autoencoder_of(background: Background, config: SaeConfig, trained: bool = True) -> SparseAutoencoder:
    """A TopK autoencoder of a background, once for each; not trained, it is as training begins."""
    vectors = torch.tensor(background.vectors).float()
    return train_scaled(vectors, config) if trained else start_scaled(vectors, config)


def unexplained(sae: SparseAutoencoder, background: Background) -> float:
    """The share of the variance of a background's vectors that an autoencoder leaves."""
    vectors = torch.tensor(background.vectors).float()
    with torch.no_grad():
        left = sae(vectors)[1] - vectors
    return float(left.square().sum() / (vectors - vectors.mean(dim=0)).square().sum())


def codes_of(sae: SparseAutoencoder, read: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n f"]:
    """How much of each latent an autoencoder finds in vectors."""
    with torch.no_grad():
        codes: Float[np.ndarray, "n f"] = sae.encode(torch.tensor(np.asarray(read)).float()).numpy()
    return codes


@lru_cache(maxsize=16)
def dictionary_of(sae: SparseAutoencoder) -> Dictionary:
    """The latents of an autoencoder and their directions, one dictionary for each autoencoder. What it found last it
    keeps: a unit's contestants, with its own weights and another's, ask for the same vectors' latents."""
    directions, offset = sae.w_dec.detach().numpy(), sae.b_dec.detach().numpy()
    last: list[tuple[np.ndarray, Features]] = []

    def find(unit: Unit) -> Features:
        if not last or last[0][0] is not unit.read:
            last[:] = [(unit.read, Features(codes_of(sae, unit.read), directions, offset))]
        return last[0][1]

    return find


def trained_on_background(
    config: SaeConfig = ON_TOYS, trained: bool = True, background: Background | None = None
) -> Dictionary:
    """The dictionary that an autoencoder learns from each unit's background, or from one for all."""

    def find(unit: Unit) -> Features:
        return dictionary_of(autoencoder_of(background or unit.background, config, trained))(unit)

    return find


def in_basis(dictionary: Dictionary, prefix: str = "") -> Mapping[str, Embed]:
    """Contestants in a dictionary's basis, by name, with `prefix` before each."""

    def contributions(unit: Unit) -> np.ndarray:
        found = dictionary(unit)
        return feature_contributions(found.codes, found.directions, unit.weights)

    def features(unit: Unit) -> np.ndarray:
        found = dictionary(unit)
        return feature_embeddings(found.codes, found.directions, unit.weights)

    def codes(unit: Unit) -> np.ndarray:
        return dictionary(unit).codes

    def beside_centered(unit: Unit) -> np.ndarray:
        return side_by_side(centered(unit), features(unit))

    def denoised(unit: Unit) -> np.ndarray:
        """What the features give back of the vector, minus the layer's mean."""
        moved: np.ndarray = dictionary(unit).given_back - unit.background.mean
        return moved

    def paper_denoised(unit: Unit) -> np.ndarray:
        """Equation 1 of that."""
        return neuron_embeddings(denoised(unit), unit.weights)

    return {
        f"{prefix}contributions": contributions,
        f"{prefix}features": features,
        f"{prefix}centered + features": beside_centered,
        f"{prefix}codes": codes,
        f"{prefix}denoised": denoised,
        f"{prefix}paper's, denoised": paper_denoised,
    }


def contestants_of(config: SaeConfig, background: Background | None = None) -> Mapping[str, Embed]:
    """Contestants by name in the basis of an autoencoder of each unit's background, or of one background for all, and
    one in that of the autoencoder that training began with. Training waits for the first unit."""

    def of(trained: bool) -> Mapping[str, Embed]:
        return in_basis(trained_on_background(config, trained, background))

    joint = "centered + features"
    return {**of(trained=True), f"{joint}, not trained": of(trained=False)[joint]}


def in_layer(background: Background) -> Mapping[str, Embed]:
    """Contestants in the basis of an autoencoder of a layer's vectors: four latents a coordinate but at least eight
    vectors a latent, a 16th as many active as there are coordinates, at most 32, and `STEPS_IN_LAYER` or as many as go
    over all vectors 16 times."""
    n, d = background.vectors.shape
    config = topk_config(
        d_sae=max(2, min(4 * d, n // 8)),
        k=min(32, max(2, d // 16)),
        epochs=min(16, max(1, round(STEPS_IN_LAYER * 256 / n))),
    )
    return contestants_of(config, background)


LEARNED: Mapping[str, Embed] = contestants_of(ON_TOYS)
"""Contestants by name, beside those of `nbkit.method.truth.contestants`, for toys."""
