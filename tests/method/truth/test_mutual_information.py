"""Adjusted mutual information: scikit-learn's number, on partitions alike and not, of few clusters and of many."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score

from nbkit.method.truth.mutual_information import adjusted_mutual_information


def test_it_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        n = int(rng.integers(1, 120))
        a = 3 * rng.integers(rng.integers(1, 7), size=n) - 4
        for b in (
            rng.integers(rng.integers(1, n + 1), size=n),
            np.where(rng.random(n) < 0.7, a, rng.integers(5, size=n)),
            rng.permutation(a),
            np.arange(n),
            np.zeros(n, dtype=int),
        ):
            assert adjusted_mutual_information(a, b) == pytest.approx(adjusted_mutual_info_score(a, b), abs=1e-12)


def test_the_same_partition_under_other_names() -> None:
    labels = np.array([0, 0, 1, 1, 1, 2])
    assert adjusted_mutual_information(labels, 7 - 2 * labels) == pytest.approx(1)
    assert adjusted_mutual_information(np.arange(6), np.arange(6)[::-1]) == 1  # nothing is left to chance
