"""The cosines of random pairs against all pairs, one by one, and against known answers."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from nbkit.features.random_pairs import FEATURES_DRAWN, PAIR_SHARES, random_cosines


def test_equals_a_slow_loop_over_all_pairs_where_all_rows_are_drawn() -> None:
    rng = np.random.default_rng(0)
    layer = np.repeat([2, 5, 7], [8, 14, 5])
    neuron = np.arange(27) // 2
    vectors = rng.normal(size=(27, 5)).astype(np.float32)
    found = random_cosines(vectors, layer, neuron)
    assert found.shape == (3, 2, len(PAIR_SHARES))
    for place, own in enumerate((2, 5, 7)):
        for scope in (0, 1):
            cosines = [
                float(vectors[i] @ vectors[j] / np.linalg.norm(vectors[i]) / np.linalg.norm(vectors[j]))
                for i, j in product(range(27), range(27))
                if layer[i] == own and (layer[j] == own) == (scope == 0) and neuron[i] != neuron[j]
            ]
            np.testing.assert_allclose(found[place, scope], np.quantile(cosines, PAIR_SHARES), atol=1e-6)


def test_some_of_many_rows_tell_what_all_would() -> None:
    """In three dimensions the cosine of two random directions is uniform on [-1, 1]."""
    n = 3 * FEATURES_DRAWN
    vectors = np.random.default_rng(1).normal(size=(n, 3))
    [[same, other], _] = random_cosines(vectors, np.repeat([0, 1], n // 2), np.arange(n), seed=3)
    np.testing.assert_allclose(same, 2 * np.array(PAIR_SHARES) - 1, atol=0.04)
    np.testing.assert_allclose(other, 2 * np.array(PAIR_SHARES) - 1, atol=0.04)
    again = random_cosines(vectors, np.repeat([0, 1], n // 2), np.arange(n), seed=4)[0, 0]
    assert (again != same).any(), "another draw"


@pytest.mark.parametrize("n", [0, 1, 2])
def test_where_there_is_no_pair_there_is_no_number(n: int) -> None:
    found = random_cosines(np.ones((n, 4)), np.zeros(n, int), np.zeros(n, int))
    assert found.shape == (min(n, 1), 2, len(PAIR_SHARES))
    assert np.isnan(found).all(), "rows of one neuron are no pair"
