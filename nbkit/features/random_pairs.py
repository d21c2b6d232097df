"""How similar vectors are that were paired at random: what a similarity is to be compared with."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

PAIR_SHARES = (0.5, 0.9, 0.99, 0.999, 0.9999)
"""Of random pairs: it is told which cosine so many of them stay below."""
FEATURES_DRAWN = 1000
"""Rows of each layer, and as many of the other layers: of a million pairs the largest share leaves a hundred."""


def random_cosines(
    vectors: Float[np.ndarray, "n d"], layer: Int[np.ndarray, " n"], neuron: Int[np.ndarray, " n"], seed: int = 0
) -> Float[np.ndarray, "layers 2 shares"]:
    """The cosine similarities that random pairs of rows of two neurons stay below, in each layer.

    Up to `FEATURES_DRAWN` rows are drawn in each layer. Every pair of them is one of the same layer, and every pair
    with as many rows that are drawn from the other layers is one of another layer.

    Args:
        vectors: none of them zero.
        layer: of each row, not decreasing.
        neuron: a number of each row's neuron over all layers.
        seed: of the draws.

    Returns:
        For every layer that has rows, [:, 0] of pairs in it and [:, 1] of pairs with other layers: the cosine that each
        of `PAIR_SHARES` of the pairs stays below; NaN where there is no pair.
    """
    rng = np.random.default_rng(seed)
    found = []
    for own in (np.flatnonzero(layer == each) for each in np.unique(layer)):
        rows = rng.permutation(own)[:FEATURES_DRAWN]
        far = rng.permutation(np.setdiff1d(np.arange(len(layer)), own, assume_unique=True))[:FEATURES_DRAWN]
        of_two = neuron[rows, None] != neuron[rows]
        unit, other = _unit(vectors[rows]), _unit(vectors[far])
        found.append([_quantiles((unit @ unit.T)[of_two]), _quantiles((unit @ other.T).ravel())])
    return np.array(found, dtype=np.float64).reshape(-1, 2, len(PAIR_SHARES))


def _unit(vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    wide = vectors.astype(np.float64)
    unit: Float[np.ndarray, "n d"] = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return unit


def _quantiles(cosines: Float[np.ndarray, " pairs"]) -> Float[np.ndarray, " shares"]:
    return np.quantile(cosines, PAIR_SHARES) if len(cosines) else np.full(len(PAIR_SHARES), np.nan)
