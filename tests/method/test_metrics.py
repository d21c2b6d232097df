"""Polysemanticity: known answers, loops written from the definitions, and scikit-learn's silhouette and Rand index."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_score

from nbkit.errors import NbkitError
from nbkit.method.clusters import cosine_distances, feature_clusters
from nbkit.method.metrics import (
    Polysemanticity,
    adjusted_rand_index,
    concentration,
    polysemanticity,
    polysemanticity_from_distances,
)
from tests.method.test_clusters import FAN, random_embeddings


def slow_polysemanticity(distances: np.ndarray, labels: np.ndarray) -> Polysemanticity:
    """The figures, pair by pair."""
    n = len(labels)
    pairs = list(combinations(range(n), 2))
    within = [distances[a, b] for a, b in pairs if labels[a] == labels[b]]
    across = [distances[a, b] for a, b in pairs if labels[a] != labels[b]]
    names = sorted(set(labels.tolist()))
    scores = []
    for i in range(n):
        own = [j for j in range(n) if labels[j] == labels[i] and j != i]
        a = np.mean([distances[i, j] for j in own]) if own else np.nan
        others = [[distances[i, j] for j in range(n) if labels[j] == name] for name in names if name != labels[i]]
        b = min((np.mean(other) for other in others), default=np.nan)
        scores.append((b - a) / max(a, b) if own and max(a, b) > 0 else 0.0)
    return Polysemanticity(
        max(within + across, default=np.nan),
        float(np.mean(within + across)) if pairs else np.nan,
        float(np.mean(within)) if within else np.nan,
        float(np.mean(across)) if across else np.nan,
        len(names),
        max(int((labels == name).sum()) for name in names) / n,
        float(np.mean(scores)) if 2 <= len(names) <= n - 1 else np.nan,
    )


def test_known_answer() -> None:
    near, a, b, c = (1 - np.cos(np.radians(angle)) for angle in (10, 80, 90, 100))
    measured = polysemanticity(FAN, np.array([0, 0, 1, 1]))
    assert measured.max_distance == pytest.approx(c)
    assert measured.mean_distance == pytest.approx((2 * near + a + 2 * b + c) / 6)
    assert measured.intra_cluster == pytest.approx(near)
    assert measured.inter_cluster == pytest.approx((a + 2 * b + c) / 4)
    assert measured.n_clusters == 2
    assert measured.largest_share == 0.5
    assert measured.silhouette == pytest.approx(1 - (near / ((b + c) / 2) + near / ((a + b) / 2)) / 2)


def test_equals_the_slow_reference() -> None:
    rng = np.random.default_rng(0)
    for x in random_embeddings(30, 300, largest=25):
        distances = cosine_distances(x)
        for labels in (feature_clusters(x).labels, rng.integers(5, size=len(x)) * 3 - 4):
            expected = slow_polysemanticity(distances, labels)
            np.testing.assert_allclose(polysemanticity(x, labels), expected, atol=1e-12)
            np.testing.assert_allclose(polysemanticity_from_distances(distances, labels), expected, atol=1e-12)


def test_silhouette_equals_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    compared = 0
    for x in random_embeddings(31, 400):
        distances = cosine_distances(x)
        for labels in (feature_clusters(x).labels, rng.integers(4, size=len(x))):
            silhouette = polysemanticity_from_distances(distances, labels).silhouette
            if 2 <= len(set(labels.tolist())) <= len(x) - 1:
                assert silhouette == pytest.approx(silhouette_score(distances, labels, metric="precomputed"), abs=1e-12)
                compared += 1
            else:
                assert np.isnan(silhouette)
    assert compared > 500


def test_order_scale_and_label_names_change_nothing() -> None:
    rng = np.random.default_rng(2)
    for x in random_embeddings(32, 100):
        labels = feature_clusters(x).labels
        measured = polysemanticity(x, labels)
        order = rng.permutation(len(x))
        np.testing.assert_allclose(polysemanticity(x[order], labels[order]), measured, atol=1e-12)
        np.testing.assert_allclose(polysemanticity(x * rng.uniform(0.1, 9, (len(x), 1)), labels), measured, atol=1e-12)
        np.testing.assert_allclose(polysemanticity(x, 7 - 2 * labels), measured, atol=1e-12)


def test_a_coarser_cut_never_lowers_the_share_of_the_largest() -> None:
    for x in random_embeddings(33, 100):
        clusters = feature_clusters(x)
        by_threshold = [polysemanticity(x, clusters.cut(t).labels) for t in np.linspace(0.05, 1.0, 12)]
        for finer, coarser in pairwise(by_threshold):
            assert coarser.largest_share >= finer.largest_share
            assert coarser.n_clusters <= finer.n_clusters


def test_one_example_has_no_distances() -> None:
    measured = polysemanticity(FAN[:1], np.array([0]))
    assert (measured.n_clusters, measured.largest_share) == (1, 1.0)
    assert np.isnan([*measured[:4], measured.silhouette]).all()


def test_two_examples() -> None:
    apart = polysemanticity(FAN[[0, 2]], np.array([0, 1]))
    assert apart.max_distance == apart.mean_distance == apart.inter_cluster == pytest.approx(1.0)
    assert np.isnan([apart.intra_cluster, apart.silhouette]).all()
    together = polysemanticity(FAN[[0, 2]], np.array([0, 0]))
    assert together.intra_cluster == pytest.approx(1.0)
    assert np.isnan([together.inter_cluster, together.silhouette]).all()


def test_equal_examples_in_different_clusters_score_zero() -> None:
    measured = polysemanticity_from_distances(np.zeros((4, 4)), np.array([0, 0, 1, 1]))
    assert measured.silhouette == measured.intra_cluster == measured.inter_cluster == 0.0


def test_shapes_that_do_not_belong_together_are_refused() -> None:
    for distances, labels in ((np.zeros((3, 3)), [0, 1]), (np.zeros((3, 2)), [0, 1, 2]), (np.zeros((2, 2)), [[0, 1]])):
        with pytest.raises(NbkitError, match="belong together"):
            polysemanticity_from_distances(distances, np.array(labels))


def test_adjusted_rand_index_equals_scikit_learns() -> None:
    rng = np.random.default_rng(3)
    for _ in range(500):
        n = int(rng.integers(1, 60))
        a, b = rng.integers(rng.integers(1, 8), size=n), rng.integers(rng.integers(1, 8), size=n) - 3
        assert adjusted_rand_index(a, b) == pytest.approx(adjusted_rand_score(a, b), abs=1e-12)


def test_adjusted_rand_index_known_answers() -> None:
    a = np.array([0, 0, 1, 1])
    assert adjusted_rand_index(a, 5 - a) == 1.0
    assert adjusted_rand_index(a, np.array([0, 1, 0, 1])) == pytest.approx(-0.5)
    assert adjusted_rand_index(a, np.zeros(4, dtype=int)) == 0.0
    assert adjusted_rand_index(np.arange(4), np.arange(4)) == adjusted_rand_index(a[:1], a[:1]) == 1.0
    for other in (a[:3], a[:, None]):
        with pytest.raises(NbkitError, match="Cannot compare"):
            adjusted_rand_index(a, other)
    with pytest.raises(NbkitError, match="Cannot compare"):
        adjusted_rand_index(a[:0], a[:0])


def test_concentration_is_the_mean_share_of_the_largest_coordinate() -> None:
    assert concentration(np.array([[3.0, 4.0], [0.0, -7.0]])) == pytest.approx((0.64 + 1) / 2)
    assert concentration(np.eye(4)) == pytest.approx(0.25)  # each in one coordinate, and ever another one
    for x in random_embeddings(5, 20):
        units = [row / np.linalg.norm(row) for row in x.astype(np.float64)]
        expected = max(np.mean([unit[i] ** 2 for unit in units]) for i in range(x.shape[1]))
        assert concentration(x) == pytest.approx(expected)
        assert concentration(x * 1e200) == pytest.approx(expected)
    with pytest.raises(NbkitError, match="Embedding 1 has no direction"):
        concentration(np.array([[1.0, 2.0], [0.0, 0.0]]))
