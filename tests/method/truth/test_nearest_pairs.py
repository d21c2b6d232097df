"""A metric from pairs of nearest vectors, by hand and beside a slow reference."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from nbkit.method.clusters import cosine_distances
from nbkit.method.truth import nearest_pairs as module
from nbkit.method.truth.contestants import CONTESTANTS, centered
from nbkit.method.truth.nearest_pairs import nearest_pairs, pairs_metric
from nbkit.method.truth.recovery import recovery
from nbkit.method.truth.unit import Background, Unit


def test_pairs_are_the_nearer_half_of_each_vector_and_its_nearest() -> None:
    background = Background(np.random.default_rng(0).normal(size=(60, 5)) + 2)
    distances = cosine_distances(background.vectors - background.mean)
    found = []
    for one in range(60):
        other = min((each for each in range(60) if each != one), key=lambda each: distances[one, each])
        found.append((distances[one, other], one, other))
    expected = [(one, other) for _, one, other in sorted(found)[:30]]
    assert {tuple(pair) for pair in nearest_pairs(background).tolist()} == set(expected)


def test_at_most_so_many_vectors_are_looked_at_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IN_PAIRS", 20)
    background = Background(np.random.default_rng(0).normal(size=(500, 5)))
    pairs = nearest_pairs(background)
    assert pairs.shape == (10, 2) and len(np.unique(pairs)) <= 20 and (pairs[:, 0] != pairs[:, 1]).all()
    np.testing.assert_array_equal(pairs, nearest_pairs(Background(background.vectors.copy())))


def test_in_the_metric_differences_within_pairs_are_round() -> None:
    background = Background(np.random.default_rng(0).normal(size=(4000, 4)) * [10, 1, 1, 0.1] + 3)
    one, other = nearest_pairs(background).T
    differences = background.vectors[one] - background.vectors[other]
    metric = pairs_metric(background)
    assert metric is pairs_metric(background)
    covariance = ledoit_wolf(differences, assume_centered=True)[0]
    np.testing.assert_allclose(metric @ covariance @ metric, np.eye(4), atol=1e-8)
    np.testing.assert_allclose(metric, metric.T, atol=1e-12)


def blobs(seed: int = 0) -> tuple[Background, np.ndarray]:
    """Three behaviors, told apart in two directions, with more noise in a third."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), 300)
    angle = 2 * np.pi * labels / 3
    told = np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.05 * rng.normal(size=(900, 2))
    return Background(np.hstack([told, 1.5 * rng.normal(size=(900, 1))])), labels


def test_noise_that_alike_vectors_do_not_share_counts_for_less() -> None:
    background, labels = blobs()
    rows = np.random.default_rng(1).permutation(900)[:120]
    unit = Unit(background.vectors[rows], np.array([1.0, -2, 0.5]), background)
    spaces = (centered(unit), CONTESTANTS["nearest pairs"](unit))
    before, after = (recovery(np.asarray(space), labels[rows]).auc for space in spaces)
    assert after > before + 0.05
    added = CONTESTANTS["paper's, nearest pairs"](unit)
    assert added is not None
    np.testing.assert_allclose(added.sum(axis=1), centered(unit) @ unit.weights)


def test_alike_vectors_that_are_the_same_give_finite_numbers() -> None:
    for vectors in (np.ones((8, 3)), np.repeat(np.eye(3), 4, axis=0), np.eye(2, 3)):
        assert np.isfinite(pairs_metric(Background(vectors))).all()
