"""Average precision: scikit-learn's without ties, the mean over all orders with them."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from nbkit.errors import NbkitError
from nbkit.method.average_precision import average_precision


def of_order(truth: np.ndarray) -> float:
    """Straight from the definition: at each true one, the share of true ones up to it."""
    precisions = [truth[: rank + 1].mean() for rank in range(len(truth)) if truth[rank]]
    return float(np.mean(precisions))


def over_orders(truth: np.ndarray, scores: np.ndarray) -> float:
    """The mean over all orders in which no lower score comes before a higher one."""
    orders = [list(each) for each in permutations(range(len(truth)))]
    allowed = [order for order in orders if (np.diff(scores[order]) <= 0).all()]
    return float(np.mean([of_order(truth[order]) for order in allowed]))


def test_known_answers() -> None:
    best, worst = np.array([3.0, 2.0, 1.0, 0.0]), np.array([0.0, 1.0, 2.0, 3.0])
    truth = np.array([True, True, False, False])
    assert average_precision(truth, best) == 1
    assert average_precision(truth, worst) == pytest.approx((1 / 3 + 2 / 4) / 2)
    assert average_precision(np.array([True, False]), np.zeros(2)) == pytest.approx(0.75), "not the share of true ones"
    assert np.isnan(average_precision(np.zeros(3, dtype=bool), np.arange(3.0)))


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_without_ties_it_is_that_of_scikit_learn(truth: list[bool], random: object) -> None:
    scores = np.random.default_rng(random.randrange(2**32)).permutation(len(truth)).astype(float)  # type: ignore[attr-defined]
    if any(truth):
        expected = average_precision_score(np.array(truth), scores)
        assert average_precision(np.array(truth), scores) == pytest.approx(expected)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2)), min_size=1, max_size=6))
def test_ties_count_as_the_mean_over_their_orders(pairs: list[tuple[bool, int]]) -> None:
    truth, scores = np.array([pair[0] for pair in pairs]), np.array([float(pair[1]) for pair in pairs])
    if truth.any():
        assert average_precision(truth, scores) == pytest.approx(over_orders(truth, scores))


def test_what_can_not_be_ranked() -> None:
    with pytest.raises(NbkitError, match=r"Truth of shape \(2,\) and scores of shape \(3,\)"):
        average_precision(np.ones(2, dtype=bool), np.ones(3))
    with pytest.raises(NbkitError, match="Score 1 is NaN"):
        average_precision(np.ones(2, dtype=bool), np.array([1.0, np.nan]))
