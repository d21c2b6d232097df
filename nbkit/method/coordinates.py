"""How far vectors hang on single coordinates, and which coordinates stand out of a layer."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_array, have_direction

HANGS = 0.3
"""A neuron hangs on one coordinate if more than this share of its embeddings lies there."""
OUTLIER = 20.0
"""A coordinate stands out if its mean square is more than this many times the median coordinate's."""


def coordinate_shares(embeddings: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " d"]:
    """What share of a neuron's embeddings lies in each coordinate; the shares add up to 1.

    Each embedding is scaled to length 1; the share of a coordinate is the mean of its square over the examples.

    Args:
        embeddings: (n, d).

    Raises:
        NbkitError: an embedding has no direction, since its numbers are all zeros or not finite, or there is none.
    """
    x: Float[np.ndarray, "n d"] = checked_array(embeddings, "The embeddings").astype(np.float64, copy=False)
    if x.ndim != 2 or 0 in x.shape:
        raise NbkitError(f"Embeddings must have shape (n, d) with at least one example; these have shape {x.shape}.")
    directed = have_direction(x)
    if not directed.all():
        raise NbkitError(f"Embedding {directed.argmin()} has no direction: its numbers are all zeros or not finite.")
    squared = (x / np.abs(x).max(axis=1, keepdims=True)) ** 2
    shares: Float[np.ndarray, " d"] = (squared / squared.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares


def participation_ratio(shares: Float[np.ndarray, " d"]) -> float:
    """How many coordinates take part: 1 / sum of squared shares, d if all have equal shares, 1 if one has all.

    Args:
        shares: (d,) of `coordinate_shares`.
    """
    return float(1.0 / np.square(shares).sum())


def outlier_coordinates(vectors: Float[np.ndarray, "n d"], factor: float = OUTLIER) -> Int[np.ndarray, " k"]:
    """The coordinates that stand out of a layer, largest mean square first: a rule that knows no neuron and no label.

    The mean square and not the variance, since cosine distances are not centered: of a coordinate that is large and
    hardly varies they see the size.

    Args:
        vectors: (n, d) what the layer's units read.
        factor: how many times the median coordinate's mean square theirs exceeds.

    Raises:
        NbkitError: they are no (n, d), or not finite.
    """
    x = checked_array(vectors, "The vectors")
    if x.ndim != 2 or 0 in x.shape or not np.isfinite(x).all():
        raise NbkitError(f"Vectors of shape {x.shape}: give finite ones of shape (n, d).")
    square = np.square(x, dtype=np.float64).mean(axis=0)
    order = np.argsort(-square, kind="stable")
    found: Int[np.ndarray, " k"] = order[square[order] > factor * np.median(square)]
    return found
