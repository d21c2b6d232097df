"""Feature clusters: cosine distances of embeddings (equation 3) and the trees that cluster them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
from jaxtyping import Float, Int
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.spatial.distance import squareform

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_array, checked_whole, have_direction, plain, shown, within
from nbkit.method.scc import scc_linkage

PAPER_CUT = 0.5
"""The distance at which the paper cuts trees (section 3.2)."""
UNRELATED = 400
"""Vectors of a layer whose distances tell what chance gives (see `chance_cut`)."""
# SciPy's other linkages (centroid, median, ward) are defined on Euclidean distances only.
LINKAGE_METHODS = ("average", "complete", "single", "weighted", "scc")

_SMALLEST, _LARGEST = 1e-280, 1e280  # squared norms between these lose nothing to under- or overflow


@dataclass(frozen=True, eq=False)
class FeatureClusters:
    """A neuron's examples in feature clusters: one cut through the tree of all merges."""

    labels: Int[np.ndarray, " n"]
    """The cluster of each example; 0 is the largest, of equals the one with the earliest example comes first."""
    linkage: Float[np.ndarray, "n-1 4"]
    """The merge tree as SciPy writes it; the height of a merge is the distance at which it happens. With "scc" the
    rows of one round share a height, and rows of height 2 were never joined (see `scc_linkage`)."""
    distances: Float[np.ndarray, "n n"]
    """Cosine distances of the embeddings, 0 to 2."""
    threshold: float
    """Merges up to and including this distance are made."""
    method: str
    """One of `LINKAGE_METHODS`."""

    @property
    def n_clusters(self) -> int:
        """How many clusters there are."""
        return int(self.labels.max()) + 1

    @property
    def sizes(self) -> Int[np.ndarray, " n_clusters"]:
        """How many examples each cluster has, not increasing."""
        return np.bincount(self.labels)

    @cached_property
    def medoids(self) -> Int[np.ndarray, " n_clusters"]:
        """The example of each cluster with the smallest mean distance to the others of it; of equals, the first."""
        members = [np.flatnonzero(self.labels == label) for label in range(self.n_clusters)]
        return np.array([m[self.distances[np.ix_(m, m)].sum(axis=1).argmin()] for m in members])

    def cut(self, threshold: float) -> "FeatureClusters":
        """The tree cut at another distance, as SciPy's `fcluster(criterion="distance")` does.

        With "scc", the clusters after the last round whose similarity threshold is at least 1 - `threshold`.

        Args:
            threshold: distance in (0, 1].

        Raises:
            NbkitError: the threshold is outside (0, 1].
        """
        threshold = check_threshold(threshold)
        return self._after(_merges_at(self.linkage, threshold), threshold)

    def cut_to(self, n_clusters: int) -> "FeatureClusters":
        """The tree cut into exactly `n_clusters`, to compare embedding kinds at equal cluster counts.

        The last n_clusters - 1 rows of the tree are undone, also where their heights tie. The `threshold` of the
        result is the height of the last merge that is left, 0 if none is; it can be above 1.

        Args:
            n_clusters: from 1 to the number of examples.

        Raises:
            NbkitError: there are fewer examples, `n_clusters` is below 1, or the method is "scc".
        """
        n = len(self.labels)
        if self.method == "scc":
            raise NbkitError("SCC merges many clusters in one round, so it cannot give a chosen number: use cut().")
        n_clusters = checked_whole("n_clusters", n_clusters)
        if not 1 <= n_clusters <= n:
            raise NbkitError(f"Cannot cut {n} examples into {n_clusters} clusters: ask for 1 to {n}.")
        n_merges = n - n_clusters
        return self._after(n_merges, float(self.linkage[n_merges - 1, 2]) if n_merges else 0.0)

    def _after(self, n_merges: int, threshold: float) -> "FeatureClusters":
        labels = _labels_after(self.linkage, n_merges)
        return FeatureClusters(labels, self.linkage, self.distances, threshold, self.method)


def cosine_distances(embeddings: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
    """Equation 3: one minus the cosine similarity of every pair of embeddings.

    Args:
        embeddings: (n, d), real numbers of any type; a positive factor on a row changes nothing.

    Returns:
        (n, n) float64, symmetric, zero diagonal, between 0 and 2.

    Raises:
        NbkitError: the array is not (n, d) with n and d at least 1, its numbers are not real, or a row holds NaN or
            infinity or is all zeros (no direction, so no cosine).
    """
    x: Float[np.ndarray, "n d"] = checked_array(embeddings, "The embeddings").astype(np.float64, copy=False)
    if x.ndim != 2 or 0 in x.shape:
        raise NbkitError(f"Embeddings must have shape (n, d) with at least one example; these have shape {x.shape}.")
    with np.errstate(invalid="ignore", over="ignore"):
        gram = x @ x.T
    squared = gram.diagonal()
    if not (squared.min() > _SMALLEST and squared.max() < _LARGEST):  # also where one is NaN
        scale = np.abs(x).max(axis=1, keepdims=True)  # (n, 1), NaN where a row has one
        _check_rows(scale[:, 0])
        x = x / scale
        gram = x @ x.T
        squared = gram.diagonal()
    norms = np.sqrt(squared)
    gram /= norms[:, None] * norms
    distances: Float[np.ndarray, "n n"] = 1.0 - 0.5 * (gram + gram.T)  # for a strided x, x @ x.T may lack it
    np.clip(distances, 0.0, 2.0, out=distances)
    np.fill_diagonal(distances, 0.0)
    return distances


def chance_cut(embeddings: Float[np.ndarray, "m d"]) -> float:
    """Where to cut a tree of embeddings, told by embeddings of unrelated inputs: one standard deviation below the mean
    of the cosine distances between any two of them. Examples that are joined below it are nearer to each other than any
    two inputs, on average and by a standard deviation at least.

    Args:
        embeddings: (m, d) of inputs that have nothing in common, such as any tokens of a corpus, in the space of the
            tree. Some hundreds will do: time and memory go with the square of m.

    Returns:
        A distance in (0, 1], a whole number of hundredths; 1 if fewer than three embeddings have a direction.

    Raises:
        NbkitError: the embeddings aren't (m, d) real numbers.
    """
    x = checked_array(embeddings, "the embeddings")
    if x.ndim != 2:
        raise NbkitError(f"Embeddings must have shape (m, d); these have shape {x.shape}.")
    directed = x[have_direction(x)]
    if len(directed) < 3:
        return 1.0
    distances = cosine_distances(directed)[np.triu_indices(len(directed), 1)]
    return float(np.clip(round(float(distances.mean() - distances.std()), 2), 0.01, 1.0))


def unrelated_rows(n: int) -> Int[np.ndarray, " m"]:
    """Which of a layer's n vectors `chance_cut` is given: at most `UNRELATED`, evenly over them."""
    rows: Int[np.ndarray, " m"] = np.linspace(0, n - 1, min(UNRELATED, n)).astype(int)
    return rows


def feature_clusters(
    embeddings: Float[np.ndarray, "n d"], threshold: float = PAPER_CUT, method: str = "average"
) -> FeatureClusters:
    """Section 3.2: cluster a neuron's examples by the cosine distances of their embeddings.

    A merge at exactly `threshold` is made (as by SciPy; scikit-learn leaves it out). One example is one cluster with
    an empty tree. Merge heights of the other linkages than "scc" go up to 2.

    Args:
        embeddings: (n, d) embeddings of the examples.
        threshold: distance in (0, 1] at which the tree is cut. The default is the paper's, since no other fits all
            spaces; `chance_cut` tells one for yours, at which centered vectors are nearer to known behaviors.
        method: "average" (the paper's), "complete", "single" or "weighted" as in SciPy, or "scc".

    Returns:
        The clusters; `cut` gives other thresholds without clustering again.

    Raises:
        NbkitError: the threshold is outside (0, 1], the method is unknown or undefined for cosine distances, or the
            embeddings are refused by `cosine_distances`.
    """
    threshold = check_threshold(threshold)
    if not isinstance(method, str) or method not in LINKAGE_METHODS:
        raise NbkitError(
            f"There is no clustering method {shown(method)} for cosine distances: use one of "
            f"{', '.join(LINKAGE_METHODS)} (centroid, median and ward linkage need Euclidean distances)."
        )
    distances = cosine_distances(embeddings)
    if len(distances) == 1:
        tree = np.empty((0, 4))
    elif method == "scc":
        tree = scc_linkage(1.0 - distances)
    else:
        tree = scipy_linkage(squareform(distances, checks=False), cast(Any, method))
    return FeatureClusters(_labels_after(tree, _merges_at(tree, threshold)), tree, distances, threshold, method)


def _merges_at(tree: Float[np.ndarray, "n-1 4"], threshold: float) -> int:
    return int(np.searchsorted(tree[:, 2], threshold, side="right"))


def _labels_after(tree: Float[np.ndarray, "n-1 4"], n_merges: int) -> Int[np.ndarray, " n"]:
    """Cluster of each example after the first `n_merges` rows of a tree, largest first."""
    n = len(tree) + 1
    parent = np.arange(n + n_merges)
    parent[tree[:n_merges, :2].astype(np.intp)] = np.arange(n, n + n_merges)[:, None]
    while not np.array_equal(parent, grandparent := parent[parent]):
        parent = grandparent
    root = parent[:n]
    # np.unique would give the next three in one call and take three times as long.
    sizes = np.bincount(root)
    roots = np.flatnonzero(sizes)
    first = np.empty(len(sizes), dtype=np.intp)
    first[root[::-1]] = np.arange(n)[::-1]  # of the examples with one root, the last written is the first
    rank = np.empty(len(sizes), dtype=np.intp)
    rank[roots[np.lexsort((first[roots], -sizes[roots]))]] = np.arange(len(roots))
    return rank[root]


def check_threshold(threshold: float) -> float:
    """A cosine distance to cut a tree at, as a number of Python.

    Raises:
        NbkitError: it is no number in (0, 1].
    """
    if not within(threshold, 0, 1, "(]"):
        raise NbkitError(f"A threshold of {shown(threshold)} is no distance to cut at: choose one in (0, 1].")
    return float(plain(threshold))


def _check_rows(largest: Float[np.ndarray, " n"]) -> None:
    """Refuse rows without a direction, given the largest magnitude in each."""
    if (bad := ~np.isfinite(largest)).any():
        raise NbkitError(
            f"Row {bad.argmax()} of the embeddings holds NaN or infinity: check the weights and the vectors."
        )
    if (zero := largest == 0.0).any():
        raise NbkitError(
            f"Row {zero.argmax()} of the embeddings is all zeros and has no direction to compare: leave it out."
        )


def node_medoids(clusters: FeatureClusters) -> list[int]:
    """Return the medoid of every merge of the tree: whatever the cut, its clusters are nodes of the tree."""
    n = len(clusters.labels)
    members = [np.array([example]) for example in range(n)]
    medoids = []
    for left, right in clusters.linkage[:, :2].astype(int):
        joined = np.sort(np.concatenate([members[left], members[right]]))  # of equals, the first example
        members.append(joined)
        medoids.append(int(joined[clusters.distances[np.ix_(joined, joined)].sum(axis=1).argmin()]))
    return medoids
