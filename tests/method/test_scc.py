"""SCC against a slow reference in plain Python, and the meaning of its tree."""

import numpy as np
import pytest

from nbkit.errors import NbkitError
from nbkit.method.clusters import feature_clusters
from nbkit.method.scc import NEVER_JOINED, SCC_THRESHOLDS, scc_linkage
from tests.method.test_clusters import random_embeddings, same_partition


def reference_rounds(similarities: np.ndarray, n_neighbors: int) -> list[tuple[float, list[int]]]:
    """The clusters after each round, written from the description of SCC with sets and loops."""
    n = len(similarities)
    edges: dict[tuple[int, int], float] = {}
    for i in range(n):
        others = sorted((j for j in range(n) if j != i), key=lambda j: -similarities[i, j])
        for j in others[:n_neighbors]:
            edges[i, j] = similarities[i, j]
    graph = {(i, j): max(edges.get((i, j), 0.0), edges.get((j, i), 0.0)) for i in range(n) for j in range(n) if i != j}
    clusters = [{i} for i in range(n)]
    rounds = []
    for threshold in np.geomspace(1.0, 0.1, 50):
        pointers: list[set[int]] = [{a} for a in range(len(clusters))]
        for a, first in enumerate(clusters):
            best, best_similarity = -1, -np.inf
            for b, second in enumerate(clusters):
                if a != b:
                    total = sum(graph[i, j] for i in first for j in second)
                    mean = total / (len(first) * len(second))
                    if mean >= threshold and mean > best_similarity:
                        best, best_similarity = b, mean
            if best >= 0:
                pointers[a].add(best)
        parts: list[set[int]] = []  # weakly connected components: join every pointer's two ends
        for pair in pointers:
            touching = [part for part in parts if part & pair]
            parts = [part for part in parts if not part & pair] + [pair.union(*touching)]
        clusters = sorted((set().union(*(clusters[a] for a in part)) for part in parts), key=min)
        rounds.append((float(threshold), [next(c for c, m in enumerate(clusters) if i in m) for i in range(n)]))
    return rounds


@pytest.mark.parametrize("n_neighbors", [3, 25])
def test_every_round_equals_the_reference(n_neighbors: int) -> None:
    for x in random_embeddings(20, 60, largest=34):
        similarities = 1.0 - feature_clusters(x).distances
        tree = scc_linkage(similarities, n_neighbors)
        for threshold, labels in reference_rounds(similarities, n_neighbors):
            assert same_partition(labels_at(tree, 1.0 - threshold), np.array(labels))


def labels_at(tree: np.ndarray, height: float) -> np.ndarray:
    """Walk a merge tree up to a height, one row after the other."""
    members = [[i] for i in range(len(tree) + 1)]
    labels = np.arange(len(tree) + 1)
    for left, right, row_height, size in tree:
        joined = members[int(left)] + members[int(right)]
        assert size == len(joined)
        members.append(joined)
        if row_height <= height:
            labels[joined] = len(labels) + len(members)
    return labels


def test_cut_gives_the_last_round_at_or_above_the_similarity() -> None:
    for x in random_embeddings(21, 30, largest=30):
        clusters = feature_clusters(x, 0.5, "scc")
        rounds = reference_rounds(1.0 - clusters.distances, 25)
        for cut in (0.05, 0.3, 0.5, 0.8, 1.0):
            last = [labels for threshold, labels in rounds if threshold >= 1.0 - cut][-1]
            assert same_partition(clusters.cut(cut).labels, np.array(last))
        assert np.array_equal(clusters.labels, clusters.cut(0.5).labels)


def test_known_answer() -> None:
    # Similarities .99 within two pairs, .5 between them: a pair each in the first rounds, then one cluster.
    similarities = np.full((4, 4), 0.5)
    similarities[:2, :2] = similarities[2:, 2:] = 0.99
    tree = scc_linkage(similarities)
    second, later = SCC_THRESHOLDS[1], SCC_THRESHOLDS[SCC_THRESHOLDS <= 0.5][0]
    assert tree.tolist() == [[0, 1, 1 - second, 2], [2, 3, 1 - second, 2], [4, 5, 1 - later, 4]]


def test_one_round_merges_a_whole_chain() -> None:
    # 0-1-2-3 with rising similarities: 0 points to 1, 1 to 2, 2 and 3 to each other.
    similarities = np.zeros((4, 4))
    for i, value in enumerate((0.87, 0.88, 0.89)):
        similarities[i, i + 1] = similarities[i + 1, i] = value
    tree = scc_linkage(similarities)
    assert tree[:, 2].tolist() == [1 - SCC_THRESHOLDS[3]] * 3


def test_what_no_round_joins_stays_apart_at_every_cut() -> None:
    clusters = feature_clusters(np.eye(4)[[0, 0, 1, 2]], 1.0, "scc")
    assert clusters.labels.tolist() == [0, 0, 1, 2]
    assert (clusters.linkage[1:, 2] == NEVER_JOINED).all()


def test_equal_examples_finish() -> None:
    rng = np.random.default_rng(22)
    for _ in range(20):
        x = rng.normal(size=(4, 6))[rng.integers(4, size=40)] / 3.0
        clusters = feature_clusters(x, 0.1, "scc")
        assert same_partition(clusters.labels, feature_clusters(x, 1e-6).labels)


def test_scc_cannot_be_cut_to_a_number() -> None:
    with pytest.raises(NbkitError, match="SCC"):
        feature_clusters(np.eye(4), 0.5, "scc").cut_to(2)
