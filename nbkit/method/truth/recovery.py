"""How well a space and a rule recover known behaviors: pairs, and partitions at several cuts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata
from sklearn import config_context
from sklearn.metrics import adjusted_mutual_info_score

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_array, have_direction
from nbkit.method.clusters import feature_clusters
from nbkit.method.metrics import adjusted_rand_index
from nbkit.method.truth.rules import Cluster, paper_rule

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
    """Adjusted mutual information (Vinh et al. 2010) there: 1 for the truth, 0 as expected by chance."""
    ari: float
    """Adjusted Rand index of the rule's clusters."""
    ami: float
    """Adjusted mutual information of the rule's clusters."""
    clusters: int
    """How many clusters the rule finds."""
    behaviors: int
    """How many there are."""
    ari_best: float
    """The highest adjusted Rand index of any cut in `TRIED_CUTS`."""
    ami_best: float
    """Adjusted mutual information at that cut."""
    best_cut: float
    """That cut, the lowest of equals: a threshold is calibrated if it is the same for all units."""


def recovery(
    embeddings: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    cluster: Cluster = paper_rule,
    behaviors: int | None = None,
) -> Recovery:
    """Measure how well embeddings, and a rule that clusters them, recover known behaviors.

    Args:
        embeddings: (n, d), without NaN or infinity. One of zeros alone counts as at distance 1 of all others.
        labels: (n,) the behavior of each example.
        cluster: the rule for `ari`, `ami` and `clusters`.
        behaviors: how many there are; by default as many as labels.

    Raises:
        NbkitError: the lengths differ, an embedding is not finite, or the rule does not give each a cluster.
    """
    x = with_directions(embeddings)
    if len(x) != len(labels):
        raise NbkitError(f"{len(x)} embeddings and {len(labels)} examples: give one embedding for each, in order.")
    k = len(np.unique(labels)) if behaviors is None else behaviors
    tree = feature_clusters(x)
    found = np.asarray(cluster(x))
    if found.shape != labels.shape or found.dtype.kind not in "biuf" or not np.isfinite(found).all():
        raise NbkitError(
            f"The rule gave clusters of shape {found.shape} for {len(x)} embeddings, of type {found.dtype}: give a "
            "finite number for each."
        )
    at_k = tree.cut_to(k).labels
    heights = tree.linkage[:, 2]
    levels = {
        int(np.searchsorted(heights, cut, side="right")): float(cut) for cut in TRIED_CUTS[::-1]
    }  # of equals the lowest
    cuts = [(tree.cut(cut).labels, cut) for cut in sorted(levels.values())]
    scores = [adjusted_rand_index(labels, each) for each, _ in cuts]
    best, best_cut = cuts[int(np.argmax(scores))]
    return Recovery(
        auc=pair_auc(tree.distances, labels),
        ari_at_k=adjusted_rand_index(labels, at_k),
        ami_at_k=_ami(labels, at_k),
        ari=adjusted_rand_index(labels, found),
        ami=_ami(labels, found),
        clusters=len(np.unique(found)),
        behaviors=k,
        ari_best=max(scores),
        ami_best=_ami(labels, best),
        best_cut=best_cut,
    )


def _ami(labels: Int[np.ndarray, " n"], found: Int[np.ndarray, " n"]) -> float:
    with config_context(skip_parameter_validation=True):  # which takes longer than the score
        return float(adjusted_mutual_info_score(labels, found))


def pair_auc(distances: Float[np.ndarray, "n n"], labels: Int[np.ndarray, " n"]) -> float:
    """The probability that a pair of one behavior is nearer than a pair of two, a tie counting one half.

    Returns:
        0 to 1; 0.5 if the distances know nothing of the labels, NaN if all pairs are of one kind.
    """
    above = np.triu_indices(len(labels), 1)
    across = labels[above[0]] != labels[above[1]]
    n_across = int(across.sum())
    n_within = len(across) - n_across
    if not n_across or not n_within:
        return float("nan")
    ranks = rankdata(distances[above])
    return float((ranks[across].sum() - n_across * (n_across + 1) / 2) / (n_across * n_within))


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
