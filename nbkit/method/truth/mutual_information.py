"""Adjusted mutual information of two partitions, many times faster than scikit-learn's on a hundred examples."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.special import gammaln, xlogy


def adjusted_mutual_information(labels_a: Int[np.ndarray, " n"], labels_b: Int[np.ndarray, " n"]) -> float:
    """How much two partitions tell of each other: 1 for the same, 0 as expected by chance (Vinh et al. 2010).

    The mutual information less its expectation under random labels of these sizes, over the mean of the two entropies
    less that expectation. Two partitions that leave no room for chance (both one cluster, or both all single) agree
    fully: 1.

    Args:
        labels_a, labels_b: (n,) whole numbers; n at least 1.
    """
    n = len(labels_a)
    a, b = (np.unique(labels, return_inverse=True)[1] for labels in (labels_a, labels_b))
    both = np.bincount(a * (b.max() + 1) + b)
    sizes_a, sizes_b = np.bincount(a), np.bincount(b)
    if len(sizes_a) == len(sizes_b) and len(sizes_a) in (1, n):
        return 1.0
    entropy_a, entropy_b, joint = (-float(xlogy(c, c / n).sum()) / n for c in (sizes_a, sizes_b, both))
    expected = _expected(sizes_a, sizes_b)
    room = (entropy_a + entropy_b) / 2 - expected
    return (entropy_a + entropy_b - joint - expected) / room


def _expected(sizes_a: Int[np.ndarray, " ka"], sizes_b: Int[np.ndarray, " kb"]) -> float:
    """The expected mutual information, in nats: over pairs of clusters and how many examples they may share, which is
    hypergeometric; clusters of one size count together."""
    n = int(sizes_a.sum())
    (a, times_a), (b, times_b) = (np.unique(sizes, return_counts=True) for sizes in (sizes_a, sizes_b))
    a, b = a[:, None, None], b[None, :, None]
    shared = np.arange(1, min(a.max(), b.max()) + 1)  # none shared adds nothing
    possible = (shared <= a) & (shared <= b) & (shared >= a + b - n)
    logs: Float[np.ndarray, " n+1"] = gammaln(np.arange(n + 1) + 1.0)

    def factorial(value: Int[np.ndarray, "a b shared"]) -> Float[np.ndarray, "a b shared"]:
        of: Float[np.ndarray, "a b shared"] = logs[np.clip(value, 0, n)]  # what is out of range is not possible
        return of

    log_chance = (
        factorial(a) + factorial(b) + factorial(n - a) + factorial(n - b) - logs[n] - factorial(shared)
        - factorial(a - shared) - factorial(b - shared) - factorial(n - a - b + shared)
    )  # fmt: skip
    chance = np.where(possible, np.exp(np.where(possible, log_chance, 0.0)), 0.0)
    terms = (chance * shared / n * np.log(n * shared / (a * b))).sum(axis=2)
    return float(times_a @ terms @ times_b)
