"""Shares of coordinates, and the coordinates that stand out of a layer."""

from __future__ import annotations

import numpy as np
import pytest

from nbkit.errors import NbkitError
from nbkit.method.coordinates import coordinate_shares, outlier_coordinates, participation_ratio


def test_shares_are_mean_squares_of_unit_vectors() -> None:
    shares = coordinate_shares(np.array([[3.0, 4.0, 0.0], [0.0, -7.0, 0.0]]))
    np.testing.assert_allclose(shares, [0.18, 0.82, 0.0])
    x = np.random.default_rng(0).normal(size=(40, 9))
    np.testing.assert_allclose(coordinate_shares(x), ((x / np.linalg.norm(x, axis=1, keepdims=True)) ** 2).mean(axis=0))
    np.testing.assert_allclose(coordinate_shares(x * 1e200), coordinate_shares(x))
    with pytest.raises(NbkitError, match="Embedding 1 has no direction"):
        coordinate_shares(np.array([[1.0, 2.0], [0.0, 0.0]]))
    with pytest.raises(NbkitError, match="at least one example"):
        coordinate_shares(np.ones((0, 3)))


def test_participation_counts_coordinates() -> None:
    assert participation_ratio(np.full(7, 1 / 7)) == pytest.approx(7)
    assert participation_ratio(np.array([0.0, 1.0, 0.0])) == 1
    assert participation_ratio(np.array([0.5, 0.5, 0.0, 0.0])) == pytest.approx(2)


def test_outliers_exceed_twenty_times_the_median_mean_square() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 30))
    x = (x - x.mean(axis=0)) / x.std(axis=0)  # mean squares of exactly 1
    x[:, 4] *= 30**0.5
    x[:, 9] *= 19**0.5
    x[:, 21] = 0.1 * x[:, 21] + 7  # hardly varies
    assert outlier_coordinates(x).tolist() == [21, 4]
    assert outlier_coordinates(x, 10).tolist() == [21, 4, 9]
    assert outlier_coordinates(rng.normal(size=(50, 3))).tolist() == []
    with pytest.raises(NbkitError, match="give finite ones"):
        outlier_coordinates(np.array([[1.0, np.nan]]))
