"""Rules from embeddings to clusters, without labels: the paper's, and others that the field uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import eigh
from sklearn.cluster import HDBSCAN, KMeans, SpectralClustering

from nbkit.method.clusters import cosine_distances, feature_clusters
from nbkit.method.metrics import polysemanticity_from_distances

Cluster = Callable[[Float[np.ndarray, "n d"]], Int[np.ndarray, " n"]]
"""A rule that gives each embedding a cluster; it sees no labels."""

MOST_CLUSTERS = 30
"""Rules that choose a number of clusters choose at most so many, and at most half the number of examples."""
FEWEST_MEMBERS = 3
"""Examples in a cluster of HDBSCAN."""
REFERENCES = 3
"""Uniform samples for the gap statistic."""


def paper_rule(embeddings: Float[np.ndarray, "n d"]) -> Int[np.ndarray, " n"]:
    """The paper's rule: average linkage of cosine distances, cut at 0.5."""
    return feature_clusters(embeddings, 0.5).labels


def scc_rule(embeddings: Float[np.ndarray, "n d"]) -> Int[np.ndarray, " n"]:
    """Sub-cluster components (Monath et al. 2021) after the last round of a similarity of at least 0.5."""
    return feature_clusters(embeddings, 0.5, "scc").labels


def silhouette_rule(embeddings: Float[np.ndarray, "n d"]) -> Int[np.ndarray, " n"]:
    """Average linkage, cut into the number of clusters, from 2, of the highest silhouette (Rousseeuw 1987); it never
    finds one cluster."""
    tree = feature_clusters(embeddings)
    cuts = [tree.cut_to(k).labels for k in _numbers(len(embeddings), 2)]
    if not cuts:
        return np.zeros(len(embeddings), dtype=int)
    return max(cuts, key=lambda labels: polysemanticity_from_distances(tree.distances, labels).silhouette)


def hdbscan_rule(embeddings: Float[np.ndarray, "n d"]) -> Int[np.ndarray, " n"]:
    """HDBSCAN (Campello et al. 2013) of cosine distances; what it calls noise is a cluster for each example."""
    if len(embeddings) < FEWEST_MEMBERS:
        return np.zeros(len(embeddings), dtype=int)
    found = HDBSCAN(min_cluster_size=FEWEST_MEMBERS, metric="precomputed", copy=True, allow_single_cluster=True)
    labels: Int[np.ndarray, " n"] = found.fit_predict(cosine_distances(embeddings))
    noise = labels < 0
    labels[noise] = labels.max() + 1 + np.arange(noise.sum())
    return labels


def kmeans_rule(embeddings: Float[np.ndarray, "n d"]) -> Int[np.ndarray, " n"]:
    """k-means of embeddings of length 1, with the k of the highest gap statistic (Tibshirani et al. 2001), whose
    reference is uniform over the ranges of the principal components."""
    x = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    distinct = len(np.unique(x.round(9), axis=0))
    x = x - x.mean(axis=0)
    turned = x @ np.linalg.svd(x, full_matrices=False)[2].T
    rng = np.random.default_rng(0)
    low, high = turned.min(axis=0), turned.max(axis=0)
    references = [rng.uniform(low, high, size=turned.shape) for _ in range(REFERENCES)]
    best, labels = -np.inf, np.zeros(len(x), dtype=int)
    for k in _numbers(len(x), 1):
        if k >= distinct:  # nothing is left to explain
            break
        found = _kmeans(turned, k)
        gap = float(np.mean([np.log(_kmeans(each, k).inertia_) for each in references]) - np.log(found.inertia_))
        if gap > best:
            best, labels = gap, found.labels_
    return labels


def spectral_rule(embeddings: Float[np.ndarray, "n d"]) -> Int[np.ndarray, " n"]:
    """Spectral clustering (von Luxburg 2007) of cosine similarities above zero, k by the largest gap between
    eigenvalues of the normalized Laplacian."""
    n = len(embeddings)
    most = max(_numbers(n, 1), default=0)
    if most < 2:
        return np.zeros(n, dtype=int)
    affinity = np.clip(1 - cosine_distances(embeddings), 1e-6, None)  # a connected graph
    scale = affinity.sum(axis=1) ** -0.5
    values = eigh(np.eye(n) - affinity * scale[:, None] * scale, eigvals_only=True, subset_by_index=[0, most])
    k = int(np.diff(values).argmax()) + 1
    if k == 1:
        return np.zeros(n, dtype=int)
    labels: Int[np.ndarray, " n"] = SpectralClustering(k, affinity="precomputed", random_state=0).fit_predict(affinity)
    return labels


RULES: Mapping[str, Cluster] = {
    "average linkage at 0.5": paper_rule,
    "SCC at 0.5": scc_rule,
    "average linkage by silhouette": silhouette_rule,
    "HDBSCAN": hdbscan_rule,
    "spherical k-means by gap": kmeans_rule,
    "spectral by eigengap": spectral_rule,
}
"""Rules by name, the paper's first."""


def _numbers(n: int, fewest: int) -> range:
    return range(fewest, min(MOST_CLUSTERS, n // 2) + 1)


def _kmeans(x: Float[np.ndarray, "n d"], k: int) -> KMeans:
    return KMeans(k, n_init=1, random_state=0).fit(x)
