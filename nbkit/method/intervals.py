"""Intervals: Student's over a few seeds, the bootstrap's over many neurons."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.special import bdtrc, stdtrit

LEVEL = 0.95
TAILS = (0.025, 0.975)
RESAMPLES = 300


def mean_interval(values: Float[np.ndarray, " n"]) -> tuple[float, float, float]:
    """The mean and its 95% Student interval; NaN bounds for a single value."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, float("nan"), float("nan")
    half = float(stdtrit(len(values) - 1, 0.5 + LEVEL / 2) * np.std(values, ddof=1) / len(values) ** 0.5)
    return mean, mean - half, mean + half


def grouped_mean(values: Float[np.ndarray, " n"], groups: np.ndarray) -> tuple[float, float, float]:
    """The mean of the values that are not NaN, and its 95% interval where those of one group hang together.

    The interval is Student's with one degree of freedom less than groups, and its standard error robust to clusters
    (Liang and Zeger 1986): a percentile bootstrap over so few groups would be far too narrow.

    Returns:
        Mean, lower and upper bound; NaN bounds for fewer than two groups, NaN throughout without values.
    """
    present = ~np.isnan(values)
    if not present.any():
        return (float("nan"),) * 3
    _, number = np.unique(groups[present], return_inverse=True)
    mean = float(values[present].mean())
    away = np.bincount(number, values[present] - mean)  # (groups,) summed over each
    if len(away) < 2:
        return mean, float("nan"), float("nan")
    error = (len(away) / (len(away) - 1) * float(away @ away)) ** 0.5 / present.sum()
    half = float(stdtrit(len(away) - 1, TAILS[1])) * error
    return mean, mean - half, mean + half


def summarize(values: pd.Series, seed: int) -> pd.DataFrame:
    """Mean and median of the values that are not NaN, with 95% percentile bootstrap intervals.

    The median's needs no draws: of n values drawn with replacement, those among the r smallest are binomial(n, r / n),
    so the chance that the middle of a resample is one of them is known. For even n the lower bound is the lower
    middle's and the upper bound the upper middle's, which is a little wider than the interval of their mean.
    """
    present = np.sort(values.dropna().to_numpy(dtype=np.float64))
    n = len(present)
    if not n:
        nothing = {"value": np.nan, "low": np.nan, "high": np.nan, "n": 0}
        return pd.DataFrame([{"statistic": name, **nothing} for name in ("mean", "median")])
    rng = np.random.default_rng(seed)
    means = [present[rng.integers(n, size=n)].mean() for _ in range(RESAMPLES)]
    among = np.arange(1, n + 1) / n
    ranks = [
        np.searchsorted(bdtrc(middle, n, among), tail)
        for middle, tail in zip(((n - 1) // 2, n // 2), TAILS, strict=True)
    ]
    intervals = {"mean": np.quantile(means, TAILS), "median": present[ranks]}
    rows = [
        {"statistic": name, "value": float(value), "low": float(low), "high": float(high), "n": n}
        for (name, (low, high)), value in zip(intervals.items(), (present.mean(), np.median(present)), strict=True)
    ]
    return pd.DataFrame(rows)
