"""The Sub-Cluster Component algorithm (SCC): clusters from rounds of nearest-neighbor merges.

Monath et al. 2021, "Scalable hierarchical agglomerative clustering". The paper names SCC as the simpler and faster
alternative to agglomerative clustering. Every round merges whole chains of clusters at once, so SCC needs at most
one round a threshold where agglomerative clustering needs n - 1 merges.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

N_NEIGHBORS = 25
SCC_THRESHOLDS: Float[np.ndarray, " rounds"] = np.geomspace(1.0, 0.1, 50)  # cosine similarities, one round each

NEVER_JOINED = 2.0  # the largest cosine distance


def scc_linkage(
    similarities: Float[np.ndarray, "n n"],
    n_neighbors: int = N_NEIGHBORS,
    thresholds: Float[np.ndarray, " rounds"] = SCC_THRESHOLDS,
) -> Float[np.ndarray, "n-1 4"]:
    """SCC's rounds as a merge tree in SciPy's form.

    The graph has an edge from each example to its `n_neighbors` nearest others, weighted by their similarity and
    made symmetric by the maximum; a missing edge counts 0. In the round of a threshold, the similarity of two
    clusters is the sum of the edges between them over the product of their sizes; each cluster points to the most
    similar other cluster whose similarity reaches the threshold; whatever is connected by pointers becomes one
    cluster. One pass a threshold.

    A round can join many clusters at once; its joins stand in the tree as consecutive rows of equal height,
    1 - threshold. So cutting the tree at a distance t gives exactly the clusters after the last round whose
    threshold is at least 1 - t. What no round joined is joined at height 2 for the tree to be complete; those rows
    mean nothing, and no cut at a distance up to 1 reaches them.

    Args:
        similarities: (n, n) symmetric cosine similarities.
        n_neighbors: neighbors of each example in the graph; all others where n is smaller.
        thresholds: (rounds,) similarities, falling.

    Returns:
        (n - 1, 4) rows of [node, node, height, examples], heights non-decreasing.
    """
    n = len(similarities)
    sums = _neighbor_graph(similarities, n_neighbors)  # (k, k) summed edges between the k clusters so far
    sizes = np.ones(n)
    nodes = np.arange(n)  # the tree node of each cluster
    rows: list[tuple[float, float, float, float]] = []
    best, similarity = _best_neighbors(sums, sizes)
    for threshold in thresholds:
        pointing = np.flatnonzero(similarity >= threshold)
        if not len(pointing):
            continue
        pointers = coo_array((np.ones(len(pointing)), (pointing, best[pointing])), shape=sums.shape)
        n_parts, parts = connected_components(pointers, directed=True, connection="weak")
        nodes = _join(parts, nodes, sizes, 1.0 - threshold, n, rows)
        membership = np.eye(n_parts)[parts]  # (k, n_parts), one-hot
        sums = membership.T @ sums @ membership
        sizes = membership.T @ sizes
        best, similarity = _best_neighbors(sums, sizes)
    _join(np.zeros(len(nodes), dtype=np.intp), nodes, sizes, NEVER_JOINED, n, rows)
    return np.array(rows, dtype=np.float64).reshape(n - 1, 4)


def _neighbor_graph(similarities: Float[np.ndarray, "n n"], n_neighbors: int) -> Float[np.ndarray, "n n"]:
    n = len(similarities)
    nearness = similarities.astype(np.float64)  # a copy
    np.fill_diagonal(nearness, -np.inf)
    nearest = np.argsort(-nearness, axis=1, kind="stable")[:, : min(n_neighbors, n - 1)]
    graph = np.zeros((n, n))
    np.put_along_axis(graph, nearest, np.take_along_axis(similarities, nearest, axis=1), axis=1)
    return np.maximum(graph, graph.T)


def _best_neighbors(
    sums: Float[np.ndarray, "k k"], sizes: Float[np.ndarray, " k"]
) -> tuple[Int[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Each cluster's most similar other cluster, the first of equals, and that similarity."""
    means = sums / np.outer(sizes, sizes)
    np.fill_diagonal(means, -np.inf)
    best = means.argmax(axis=1)
    return best, means[np.arange(len(means)), best]


def _join(
    parts: Int[np.ndarray, " k"],
    nodes: Int[np.ndarray, " k"],
    sizes: Float[np.ndarray, " k"],
    height: float,
    n: int,
    rows: list[tuple[float, float, float, float]],
) -> Int[np.ndarray, " parts"]:
    """Append the rows that join each part's clusters one after the other; return the node of each part."""
    joined: dict[int, tuple[int, float]] = {}
    for part, node, size in zip(parts.tolist(), nodes.tolist(), sizes.tolist(), strict=True):
        if part in joined:
            other, other_size = joined[part]
            size += other_size
            rows.append((min(other, node), max(other, node), height, size))
            node = n + len(rows) - 1
        joined[part] = (node, size)
    return np.array([joined[part][0] for part in range(len(joined))])
