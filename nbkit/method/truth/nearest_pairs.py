"""A metric learned without labels, from pairs of vectors that are probably of one behavior: each other's nearest."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int
from sklearn.covariance import ledoit_wolf

from nbkit.method.truth.unit import Background

IN_PAIRS = 2_000
"""Most vectors of a background that look for their nearest."""
NEARER_SHARE = 0.5
"""Of the pairs, the nearest ones, that are taken for pairs of one behavior."""


def nearest_pairs(background: Background) -> Int[np.ndarray, "pairs 2"]:
    """Of at most 2,000 vectors of a background, drawn with seed 0, each with its nearest by the cosine of centered
    vectors; the nearer half of these pairs, nearest first, as numbers of the background's vectors."""
    drawn = np.sort(np.random.default_rng(0).permutation(len(background.vectors))[:IN_PAIRS])
    moved = (background.vectors[drawn] - background.mean).astype(np.float32)
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    scaled = moved / np.where(lengths > 0, lengths, 1)
    cosines = scaled @ scaled.T
    np.fill_diagonal(cosines, -np.inf)
    nearest = cosines.argmax(axis=1)
    order = np.argsort(-cosines.max(axis=1), kind="stable")[: max(2, int(NEARER_SHARE * len(drawn)))]
    pairs: Int[np.ndarray, "pairs 2"] = drawn[np.stack([order, nearest[order]], axis=1)]
    return pairs


@lru_cache(maxsize=16)
def pairs_metric(background: Background) -> Float[np.ndarray, "d d"]:
    """What a row of centered vectors is multiplied by, so that the differences within nearest pairs have variance 1 in
    every direction and no correlation: directions in which alike vectors differ count for less.

    That is relevant component analysis (Bar-Hillel, Hertz, Shental and Weinshall 2003, "Learning distance functions
    using equivalence relations"), whose pairs somebody has to name as alike; here they are `nearest_pairs`. Shrinkage
    as Ledoit and Wolf (2004) choose it. The symmetric root of the inverse covariance, once for each background.
    """
    one, other = nearest_pairs(background).T
    differences = background.vectors[one].astype(np.float64) - background.vectors[other]
    covariance, _ = ledoit_wolf(differences, assume_centered=True)  # which of a pair comes first means nothing
    values, vectors = np.linalg.eigh(covariance)
    floor = np.finfo(np.float64).eps * (values[-1] if values[-1] > 0 else 1)  # where alike vectors are the same
    metric: Float[np.ndarray, "d d"] = vectors / np.sqrt(np.maximum(values, floor)) @ vectors.T
    return metric
