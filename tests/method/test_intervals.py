"""Bootstrap intervals: against SciPy, a brute-force bootstrap, and what must not change them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from nbkit.method.intervals import summarize

SAMPLES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "skewed": lambda rng, n: rng.exponential(size=n),
    "shares": lambda rng, n: rng.integers(2, size=n).astype(float),
}


def sample(name: str, n: int) -> np.ndarray:
    values: np.ndarray = SAMPLES[name](np.random.default_rng(n), n)
    return values


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("n", [10, 200])
def test_the_mean_s_interval_is_scipy_s_up_to_the_noise_of_300_resamples(name: str, n: int) -> None:
    values = sample(name, n)
    oracle = scipy.stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=0)
    width = oracle.confidence_interval.high - oracle.confidence_interval.low
    mean = summarize(pd.Series(values), seed=0).iloc[0]
    assert mean["statistic"] == "mean" and mean["n"] == n
    assert mean["value"] == pytest.approx(values.mean())
    assert [mean["low"], mean["high"]] == pytest.approx(list(oracle.confidence_interval), abs=0.12 * width)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("n", [1, 3, 9, 11, 31, 101])
def test_the_median_s_interval_for_odd_n_is_that_of_a_brute_force_bootstrap(name: str, n: int) -> None:
    values = sample(name, n)
    drawn = np.random.default_rng(0).integers(n, size=(40_000, n))
    low, high = np.quantile(np.median(values[drawn], axis=1), (0.025, 0.975), method="inverted_cdf")
    median = summarize(pd.Series(values), seed=0).iloc[1]
    assert (median["statistic"], median["n"]) == ("median", n)
    assert (median["value"], median["low"], median["high"]) == (np.median(values), low, high)


@pytest.mark.parametrize("n", [2, 4, 10, 30, 100])
def test_the_median_s_interval_for_even_n_is_at_most_a_rank_wider_than_that_of_a_brute_force_bootstrap(n: int) -> None:
    values = np.arange(n, dtype=float)
    drawn = np.random.default_rng(0).integers(n, size=(40_000, n))
    low, high = np.quantile(np.median(values[drawn], axis=1), (0.025, 0.975))
    median = summarize(pd.Series(values), seed=0).iloc[1]
    assert low - 1 <= median["low"] <= low
    assert high <= median["high"] <= high + 1


@pytest.mark.parametrize("n", [2, 9, 10, 57, 200])
def test_the_median_s_interval_has_no_preferred_side(n: int) -> None:
    values = sample("skewed", n)
    there, back = (summarize(pd.Series(sign * values), seed=0).iloc[1] for sign in (1, -1))
    assert (there["low"], there["high"]) == (-back["high"], -back["low"])


@pytest.mark.parametrize("n", [1, 2, 37])
def test_equal_values_have_an_interval_of_no_width(n: int) -> None:
    table = summarize(pd.Series([0.25] * n), seed=0)
    assert table[["value", "low", "high"]].to_numpy().tolist() == [[0.25] * 3] * 2
    assert table["n"].tolist() == [n, n]


def test_nan_does_not_count() -> None:
    values = sample("normal", 20)
    gappy = pd.Series([np.nan, *values[:9], np.nan, *values[9:]])
    pd.testing.assert_frame_equal(summarize(gappy, seed=3), summarize(pd.Series(values), seed=3))


@pytest.mark.parametrize("values", [[], [np.nan, np.nan]])
def test_of_nothing_every_number_is_nan(values: list[float]) -> None:
    table = summarize(pd.Series(values, dtype=float), seed=0)
    assert table["statistic"].tolist() == ["mean", "median"]
    assert table["n"].tolist() == [0, 0]
    assert table[["value", "low", "high"]].isna().all(axis=None)


def test_the_order_of_the_neurons_does_not_matter_but_the_seed_does() -> None:
    values = pd.Series(sample("skewed", 50))
    pd.testing.assert_frame_equal(summarize(values, 1), summarize(values.iloc[::-1], 1))
    one, other = (summarize(values, seed) for seed in (1, 2))
    assert one["low"][0] != other["low"][0]
    assert one.iloc[1].equals(other.iloc[1])  # the median's interval is computed, not drawn
