"""Polysemanticity: how far apart a neuron's examples lie and how they fall into clusters (section 3.3.1)."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_array, checked_labels
from nbkit.method.clusters import cosine_distances
from nbkit.method.coordinates import coordinate_shares

METRIC_TITLES = {
    "n_examples": "examples",
    "max_distance": "maximum distance",
    "mean_distance": "mean distance",
    "intra_cluster": "intra-cluster distance",
    "inter_cluster": "inter-cluster distance",
    "n_clusters": "feature clusters",
    "largest_share": "share of the largest cluster",
    "second_share": "share of the second cluster",
    "concentration": "concentration in one coordinate",
    "largest_coordinate": "largest coordinate",
    "participation": "participating coordinates",
    "silhouette": "silhouette",
    "silhouette_matched": "silhouette, equal number of clusters",
    "token_agreement": "agreement with key tokens",
    "token_agreement_matched": "agreement with key tokens, equal number of clusters",
}
"""What tables and figures call the metrics of a neuron."""
METRIC_UNITS = {
    "max_distance": "cosine",
    "mean_distance": "cosine",
    "intra_cluster": "cosine",
    "inter_cluster": "cosine",
    "token_agreement": "Rand",
    "token_agreement_matched": "Rand",
}
"""What an axis adds to the title; the other metrics are counts, shares, or have a scale that their name says."""


class Polysemanticity(NamedTuple):
    """Figures of one neuron's embeddings and clusters; distances are cosine distances, 0 to 2."""

    max_distance: float
    """The largest distance of any pair; NaN for one example."""
    mean_distance: float
    """The mean distance of all pairs; NaN for one example."""
    intra_cluster: float
    """The mean distance of all pairs within a cluster; NaN if every cluster is a single example."""
    inter_cluster: float
    """The mean distance of all pairs across clusters; NaN if there is one cluster."""
    n_clusters: int
    """The number of clusters."""
    largest_share: float
    """The share of the examples that the largest cluster holds, in (0, 1]."""
    silhouette: float
    """The mean silhouette (Rousseeuw 1987), -1 to 1, a single-example cluster counting 0 as in scikit-learn; NaN
    where scikit-learn refuses: one cluster, or as many clusters as examples."""


def polysemanticity(embeddings: Float[np.ndarray, "n d"], labels: Int[np.ndarray, " n"]) -> Polysemanticity:
    """Measure a neuron's embeddings and clusters.

    Args:
        embeddings: (n, d).
        labels: (n,) the cluster of each example, any integers.

    Raises:
        NbkitError: the lengths differ, the labels are neither numbers nor words, or the embeddings are refused by
            `cosine_distances`.
    """
    return polysemanticity_from_distances(cosine_distances(embeddings), labels)


def polysemanticity_from_distances(
    distances: Float[np.ndarray, "n n"], labels: Int[np.ndarray, " n"]
) -> Polysemanticity:
    """Figures of one neuron's examples from the distances between them and the cluster of each.

    Args:
        distances: (n, n) symmetric with a zero diagonal, such as `FeatureClusters.distances`.
        labels: (n,) the cluster of each example, any integers.

    Raises:
        NbkitError: the matrix is not square, the lengths differ, or the labels name no clusters.
    """
    distances, labels = checked_array(distances, "The distances"), checked_labels(labels)
    n = len(distances) if distances.ndim else 0
    if distances.shape != (n, n) or np.shape(labels) != (n,):
        raise NbkitError(
            f"Distances of shape {distances.shape} and labels of shape {np.shape(labels)} do not belong together: "
            "pass (n, n) and (n,)."
        )
    clusters, cluster = np.unique(labels, return_inverse=True)
    k = len(clusters)
    members = np.zeros((n, k))  # one-hot labels
    members[np.arange(n), cluster] = 1.0
    sizes = members.sum(axis=0)  # (k,)
    to_clusters = distances @ members  # (n, k) summed distance of each example to each cluster
    to_own = to_clusters[np.arange(n), cluster]  # (n,)

    total, within = to_clusters.sum(), to_own.sum()
    n_pairs = n * (n - 1)  # ordered pairs, here and below
    n_within = float(sizes @ sizes) - n
    return Polysemanticity(
        max_distance=float(distances.max()) if n > 1 else np.nan,
        mean_distance=_ratio(total, n_pairs),
        intra_cluster=_ratio(within, n_within),
        inter_cluster=_ratio(total - within, n_pairs - n_within),
        n_clusters=k,
        largest_share=float(sizes.max() / n),
        silhouette=_silhouette(to_clusters, to_own, cluster, sizes),
    )


def concentration(embeddings: Float[np.ndarray, "n d"]) -> float:
    """How much of a neuron's embeddings lies in one coordinate: between 1 / d and 1.

    The largest of `coordinate_shares`. Where it is high, cosine distances tell little but on which side of zero that
    coordinate lies.

    Args:
        embeddings: (n, d).

    Raises:
        NbkitError: an embedding has no direction, since its numbers are all zeros or not finite, or there is none.
    """
    return float(coordinate_shares(embeddings).max())


def adjusted_rand_index(labels_a: Int[np.ndarray, " n"], labels_b: Int[np.ndarray, " n"]) -> float:
    """How well two partitions agree: 1 for the same, 0 as expected by chance (Hubert and Arabie 1985).

    Two partitions that leave no room for chance (both one cluster, or both all single) agree fully: 1.

    Raises:
        NbkitError: the partitions have different lengths, are empty, or name no clusters.
    """
    labels_a, labels_b = checked_labels(labels_a), checked_labels(labels_b)
    if np.shape(labels_a) != np.shape(labels_b) or np.ndim(labels_a) != 1 or len(labels_a) == 0:
        raise NbkitError(f"Cannot compare labels of shapes {np.shape(labels_a)} and {np.shape(labels_b)}.")
    n = len(labels_a)
    a = np.unique(labels_a, return_inverse=True)[1]
    b = np.unique(labels_b, return_inverse=True)[1]
    both = np.bincount(a * (b.max() + 1) + b)  # the contingency table, flat
    pairs_both, pairs_a, pairs_b = (float((c * (c - 1)).sum()) for c in (both, np.bincount(a), np.bincount(b)))
    expected = pairs_a * pairs_b / (n * (n - 1)) if n > 1 else 0.0
    highest = 0.5 * (pairs_a + pairs_b)
    return (pairs_both - expected) / (highest - expected) if highest != expected else 1.0


def _silhouette(
    to_clusters: Float[np.ndarray, "n k"],
    to_own: Float[np.ndarray, " n"],
    cluster: Int[np.ndarray, " n"],
    sizes: Float[np.ndarray, " k"],
) -> float:
    n, k = to_clusters.shape
    if not 2 <= k <= n - 1:
        return np.nan
    own_size = sizes[cluster]  # (n,)
    within = to_own / np.maximum(own_size - 1.0, 1.0)
    means = to_clusters / sizes  # (n, k)
    means[np.arange(n), cluster] = np.inf
    nearest = means.min(axis=1)
    larger = np.maximum(within, nearest)
    # A single-example cluster scores 0, and so does an example at distance 0 from both clusters.
    scored = (own_size > 1.0) & (larger > 0.0)
    return float(((nearest - within)[scored] / larger[scored]).sum() / n)


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator else np.nan
