"""The contrast of clusters, beside one pair after the other."""

from __future__ import annotations

import numpy as np
import pytest

from nbkit.errors import NbkitError
from nbkit.method.cluster_contrast import cluster_contrasts


def slowly(similarity: np.ndarray, labels: np.ndarray, least: int, pairs: np.ndarray) -> list[float]:
    n, found = len(labels), []
    for cluster in range(labels.max() + 1):
        here = [i for i in range(n) if labels[i] == cluster]
        rest = [i for i in range(n) if labels[i] != cluster]
        within = [similarity[i, j] for i in here for j in here if i != j and pairs[i, j]]
        to_others = [similarity[i, j] for i in here for j in rest if pairs[i, j]]
        known = len(here) >= least and within and to_others
        found.append(np.mean(within) - np.mean(to_others) if known else np.nan)
    return found


def symmetric(rng: np.random.Generator, n: int) -> np.ndarray:
    half = rng.normal(size=(n, n))
    return half + half.T


def test_pair_by_pair() -> None:
    rng = np.random.default_rng(0)
    for n in (4, 9, 17):
        similarity, pairs = symmetric(rng, n), symmetric(rng, n) > 0
        draws = np.stack([rng.integers(0, 4, n) for _ in range(5)])
        for least in (2, 3):
            for counted in (np.ones((n, n), dtype=bool), pairs):
                found = cluster_contrasts(similarity, draws, least, counted)
                for row, labels in zip(found, draws, strict=True):
                    expected = np.full(found.shape[1], np.nan)
                    each = slowly(similarity, labels, least, counted)
                    expected[: len(each)] = each
                    np.testing.assert_allclose(row, expected, atol=1e-12)


def test_known_answer() -> None:
    labels = np.array([[0, 0, 0, 1, 1, 2]])
    similarity = np.where(labels == labels.T, 0.75, 0.25)
    np.testing.assert_allclose(cluster_contrasts(similarity, labels), [[0.5, 0.5, np.nan]])
    np.testing.assert_allclose(cluster_contrasts(similarity, labels, least=3), [[0.5, np.nan, np.nan]])
    assert np.isnan(cluster_contrasts(similarity, np.zeros((1, 6), dtype=int))).all(), "there are no others"


def test_random_groups_have_none() -> None:
    """Over all permutations the mean is zero, whatever is similar to what."""
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], [5, 3, 2])
    drawn = np.stack([rng.permutation(labels) for _ in range(20_000)])
    similarity = symmetric(rng, 10)
    similarity[0] += 5
    similarity[:, 0] += 5
    found = cluster_contrasts(similarity, drawn)
    assert (np.abs(found.mean(axis=0)) < 4 * found.std(axis=0) / 20_000**0.5).all()


def test_shapes_that_do_not_belong_together() -> None:
    with pytest.raises(NbkitError, match=r"give \(n, n\) and \(draws, n\)"):
        cluster_contrasts(np.eye(3), np.zeros((1, 4), dtype=int))
