"""How well a space and a rule recover known behaviors: pairs, and partitions at several cuts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.distance import squareform

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_array, have_direction
from nbkit.method.clusters import feature_clusters
from nbkit.method.metrics import adjusted_rand_index
from nbkit.method.truth.mutual_information import adjusted_mutual_information
from nbkit.method.truth.rules import Cluster
from nbkit.method.truth.tree_agreement import rand_indices

TRIED_CUTS: Float[np.ndarray, " cuts"] = np.linspace(0.02, 1.0, 50)
"""Cuts among which the best is looked for."""


class Recovery(NamedTuple):
    """How well the known behaviors of a unit's examples are recovered. Trees are of average linkage."""

    auc: float
    """Pair AUC: the probability that a pair of one behavior is nearer than a pair of two; NaN if either is missing."""
    ari_at_k: float
    """Adjusted Rand index (Hubert and Arabie 1985) of the tree cut into as many clusters as there are behaviors: 1 for
    the truth, 0 as expected by chance."""
    ami_at_k: float
    """Adjusted mutual information (Vinh et al. 2010) of the tree cut into as many clusters as there are behaviors: 1
    for the truth, 0 as expected by chance."""
    ari: float
    """Adjusted Rand index of the rule's clusters."""
    ami: float
    """Adjusted mutual information of the rule's clusters."""
    clusters: int
    """How many clusters the rule finds."""
    behaviors: int
    """How many behaviors the unit's examples have."""
    ari_best: float
    """The highest adjusted Rand index of any cut in `TRIED_CUTS`."""
    ami_best: float
    """Adjusted mutual information at the cut `best_cut`."""
    best_cut: float
    """The cut with the highest adjusted Rand index, of equals the lowest: a threshold is calibrated if it is the same
    for all units."""


def recovery(
    embeddings: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    cluster: Cluster | None = None,
    behaviors: int | None = None,
) -> Recovery:
    """Measure how well embeddings, and a rule that clusters them, recover known behaviors.

    Args:
        embeddings: (n, d), without NaN or infinity. One of zeros alone counts as at distance 1 of all others.
        labels: (n,) the behavior of each example.
        cluster: the rule for `ari`, `ami` and `clusters`; None for the paper's.
        behaviors: how many there are; by default as many as labels.

    Raises:
        NbkitError: the lengths differ, an embedding is not finite, or the rule does not give each a cluster.
    """
    x = with_directions(embeddings)
    if len(x) != len(labels):
        raise NbkitError(f"{len(x)} embeddings and {len(labels)} examples: give one embedding for each, in order.")
    k = len(np.unique(labels)) if behaviors is None else behaviors
    tree = feature_clusters(x)
    found = tree.labels if cluster is None else np.asarray(cluster(x))
    if found.shape != labels.shape or found.dtype.kind not in "biuf" or not np.isfinite(found).all():
        raise NbkitError(
            f"The rule gave clusters of shape {found.shape} for {len(x)} embeddings, of type {found.dtype}: give a "
            "finite number for each."
        )
    scores = rand_indices(tree.linkage, labels)
    tried = scores[np.searchsorted(tree.linkage[:, 2], TRIED_CUTS, side="right")]
    best = int(np.argmax(tried))  # of equals the lowest cut
    return Recovery(
        auc=pair_auc(tree.distances, labels),
        ari_at_k=float(scores[-k]),
        ami_at_k=adjusted_mutual_information(labels, tree.cut_to(k).labels),
        ari=adjusted_rand_index(labels, found),
        ami=adjusted_mutual_information(labels, found),
        clusters=len(np.unique(found)),
        behaviors=k,
        ari_best=float(tried[best]),
        ami_best=adjusted_mutual_information(labels, tree.cut(TRIED_CUTS[best]).labels),
        best_cut=float(TRIED_CUTS[best]),
    )


def pair_auc(distances: Float[np.ndarray, "n n"], labels: Int[np.ndarray, " n"]) -> float:
    """The probability that a pair of one behavior is nearer than a pair of two, a tie counting one half.

    Returns:
        0 to 1; 0.5 if the distances know nothing of the labels, NaN if all pairs are of one kind.
    """
    across = squareform(labels[:, None] != labels, checks=False).astype(bool)
    pairs = squareform(distances, checks=False)
    near, far = np.sort(pairs[~across]), np.sort(pairs[across])  # looking up sorted ones is faster
    if not len(near) or not len(far):
        return float("nan")
    lost = sum(int(np.searchsorted(far, near, side=side).sum()) for side in ("left", "right"))  # a tie once of twice
    twice = 2 * len(near) * len(far)
    return (twice - lost) / twice


def with_directions(embeddings: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n more"]:
    """Embeddings that all have a direction: each of zeros alone becomes a one in a coordinate of its own.

    Raises:
        NbkitError: they are no (n, d), or one is not finite.
    """
    x = checked_array(embeddings, "The embeddings")
    if x.ndim != 2 or 0 in x.shape:
        raise NbkitError(f"Embeddings of shape {x.shape}: give (n, d).")
    if not (finite := np.isfinite(x).all(axis=1)).all():
        raise NbkitError(f"Embedding {finite.argmin()} holds NaN or infinity: a contestant gives finite numbers.")
    directed = have_direction(x)
    return x if directed.all() else np.hstack([x, np.eye(len(x), dtype=x.dtype)[:, ~directed]])
