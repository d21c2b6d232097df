"""Whether clusters group what is alike in something else: similarities within a cluster against those to the others."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from nbkit.errors import NbkitError


def cluster_contrasts(
    similarity: Float[np.ndarray, "n n"],
    labels: Int[np.ndarray, "draws n"],
    least: int = 2,
    pairs: Bool[np.ndarray, "n n"] | None = None,
) -> Float[np.ndarray, "draws clusters"]:
    """For each cluster, the mean similarity of two of its examples minus that of one of them and one of the others.

    A group of the same size drawn at random has 0 in expectation, since every pair is then as likely as any other.

    Args:
        similarity: (n, n) symmetric; the diagonal doesn't count.
        labels: (draws, n) for each of several groupings of the same examples the cluster of each, from 0.
        least: examples that a cluster has at least.
        pairs: (n, n) symmetric, the pairs that count; None for all.

    Returns:
        (draws, clusters); NaN for a smaller cluster, and where no pair within it, or none to the others, counts.

    Raises:
        NbkitError: the shapes don't belong together.
    """
    n = len(similarity)
    if similarity.shape != (n, n) or labels.ndim != 2 or labels.shape[1] != n:
        raise NbkitError(
            f"Similarities of shape {similarity.shape} and labels of shape {labels.shape}: give (n, n) and (draws, n)."
        )
    counts = ~np.eye(n, dtype=bool) if pairs is None else pairs & ~np.eye(n, dtype=bool)
    member = (labels[:, :, None] == np.arange(labels.max(initial=0) + 1)).astype(np.float64)  # (draws, n, clusters)
    both = np.stack([np.where(counts, similarity, 0.0), counts])  # sums of similarities, and of pairs
    within = np.einsum("dic,sdic->sdc", member, both[:, None] @ member)
    to_others = np.einsum("dic,si->sdc", member, both.sum(axis=2)) - within
    defined = (within[1] > 0) & (to_others[1] > 0) & (member.sum(axis=1) >= least)
    own, others = (sums / np.maximum(pairs, 1) for sums, pairs in (within, to_others))
    return np.where(defined, own - others, np.nan)
