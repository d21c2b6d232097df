"""Measures of recovery: known answers, slow references, scikit-learn, and labels that mean nothing."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, roc_auc_score

from nbkit.errors import NbkitError
from nbkit.method.clusters import cosine_distances, feature_clusters
from nbkit.method.truth.recovery import TRIED_CUTS, pair_auc, recovery, with_directions


def slow_auc(distances: np.ndarray, labels: np.ndarray) -> float:
    """Every pair of one behavior beside every pair of two."""
    pairs = list(combinations(range(len(labels)), 2))
    within = [distances[a, b] for a, b in pairs if labels[a] == labels[b]]
    across = [distances[a, b] for a, b in pairs if labels[a] != labels[b]]
    return float(np.mean([1.0 if w < a else 0.5 if w == a else 0.0 for w in within for a in across]))


def draws(n: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Embeddings with something of the labels in them, of many sizes."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        labels = rng.integers(rng.integers(2, 6), size=rng.integers(6, 30))
        labels[:2] = 0, 1
        labels[2:4] = 0, 1
        found.append((rng.normal(size=(6, 8))[labels] + rng.normal(size=(len(labels), 8)), labels))
    return found


def test_pair_auc_by_hand() -> None:
    labels = np.array([0, 0, 1])
    distances = np.array([[0.0, 0.3, 0.2], [0.3, 0.0, 0.9], [0.2, 0.9, 0.0]])
    assert pair_auc(distances, labels) == 0.5  # 0.3 is nearer than 0.9, and not than 0.2
    assert pair_auc(np.ones((3, 3)), labels) == 0.5
    assert np.isnan(pair_auc(distances, np.zeros(3, dtype=int)))
    assert np.isnan(pair_auc(distances, np.arange(3)))


def test_pair_auc_equals_the_slow_reference_and_scikit_learns() -> None:
    for x, labels in draws(30, 0):
        distances = cosine_distances(x).round(1)  # with ties
        a, b = np.triu_indices(len(labels), 1)
        assert pair_auc(distances, labels) == pytest.approx(slow_auc(distances, labels), abs=1e-12)
        expected = roc_auc_score(labels[a] != labels[b], distances[a, b])
        assert pair_auc(distances, labels) == pytest.approx(expected, abs=1e-12)


def test_recovery_equals_the_slow_way() -> None:
    for x, labels in draws(12, 2):
        tree = feature_clusters(x)
        k = len(set(labels.tolist()))
        measured = recovery(x, labels)
        at_k, at_cut = tree.cut_to(k).labels, tree.cut(0.5).labels
        scores = [adjusted_rand_score(labels, tree.cut(cut).labels) for cut in TRIED_CUTS]
        best = TRIED_CUTS[int(np.flatnonzero(np.array(scores) >= max(scores) - 1e-12)[0])]
        assert measured.behaviors == k
        assert measured.ari_at_k == pytest.approx(adjusted_rand_score(labels, at_k))
        assert measured.ami_at_k == pytest.approx(adjusted_mutual_info_score(labels, at_k))
        assert measured.ari == pytest.approx(adjusted_rand_score(labels, at_cut))
        assert measured.ami == pytest.approx(adjusted_mutual_info_score(labels, at_cut))
        assert measured.clusters == at_cut.max() + 1
        assert measured.ari_best == pytest.approx(max(scores))
        assert measured.best_cut == pytest.approx(best)
        assert measured.ami_best == pytest.approx(adjusted_mutual_info_score(labels, tree.cut(best).labels))


def test_a_perfect_space_gets_the_truth() -> None:
    labels = np.repeat([4, 9, -1], [2, 12, 6])
    measured = recovery(np.eye(3)[np.repeat([0, 1, 2], [2, 12, 6])], labels)
    for name in ("auc", "ari_at_k", "ami_at_k", "ari", "ami", "ari_best", "ami_best"):
        assert getattr(measured, name) == pytest.approx(1.0), name
    assert measured.clusters == measured.behaviors == 3
    assert measured.best_cut == TRIED_CUTS[0]


def test_shuffled_labels_give_nothing() -> None:
    rng = np.random.default_rng(3)
    measured = []
    for _ in range(80):
        labels = rng.integers(4, size=40)
        measured.append(
            recovery(rng.normal(size=(4, 10))[labels] * 2 + rng.normal(size=(40, 10)), rng.permutation(labels))
        )
    for name, expected in (("auc", 0.5), ("ari_at_k", 0.0), ("ami_at_k", 0.0), ("ari", 0.0), ("ami", 0.0)):
        values = np.array([getattr(each, name) for each in measured])
        assert abs(values.mean() - expected) < 4 * values.std() / len(values) ** 0.5, name


def test_a_rule_of_ones_own() -> None:
    labels = np.array([0, 0, 1, 1])
    x = np.random.default_rng(4).normal(size=(4, 3))
    assert recovery(x, labels, lambda embeddings: labels).ari == 1.0
    assert recovery(x, labels, lambda embeddings: np.zeros(len(embeddings))).clusters == 1
    with pytest.raises(NbkitError, match=r"clusters of shape \(2,\) for 4"):
        recovery(x, labels, lambda embeddings: labels[:2])


def test_an_embedding_of_zeros_is_far_from_all_others() -> None:
    x = np.array([[1.0, 0.0], [0.0, 0.0], [2.0, 0.0], [0.0, 0.0]])
    distances = cosine_distances(with_directions(x))
    np.testing.assert_allclose(distances, [[0, 1, 0, 1], [1, 0, 1, 1], [0, 1, 0, 1], [1, 1, 1, 0]])
    np.testing.assert_array_equal(with_directions(x[:1]), x[:1])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.ones(3), r"shape \(3,\)"),
        (np.array([[1.0], [np.nan], [1.0]]), "Embedding 1 holds NaN"),
        (np.ones((2, 2)), "2 embeddings and 3 examples"),
    ],
)
def test_what_is_no_embedding_is_refused(x: np.ndarray, message: str) -> None:
    with pytest.raises(NbkitError, match=message):
        recovery(x, np.array([0, 0, 1]))
