"""Areas under ROC curves, pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbkit.studies.shared.auc import auc_of


@given(seed=st.integers(0, 10_000))
def test_auc_is_the_share_of_pairs_in_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9))
    values, inside = rng.integers(0, 4, size=(n, 3)).astype(float), np.arange(n) < rng.integers(1, n)
    for column, auc in zip(values.T, auc_of(values, inside), strict=True):
        pairs = [(a > b) + (a == b) / 2 for a in column[inside] for b in column[~inside]]
        assert auc == pytest.approx(np.mean(pairs))
