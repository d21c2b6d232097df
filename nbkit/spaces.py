"""Table 1: the same dataset examples in several embedding spaces, the shuffled-weight control among them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import bdtrc

from nbkit.atlas import Atlas
from nbkit.errors import NbkitError

MEASURES = (
    "intra_cluster",
    "inter_cluster",
    "n_clusters",
    "silhouette",
    "silhouette_matched",
    "token_agreement",
    "token_agreement_matched",
)
"""Columns of a survey that are compared between spaces."""

RESAMPLES = 300
TAILS = (0.025, 0.975)
COLUMNS = ("statistic", "value", "low", "high", "n")


def has_examples(atlas: Atlas, at_least: int) -> np.ndarray:
    """(n_neurons,) which neurons have at least so many examples.

    Raises:
        NbkitError: if none has.
    """
    enough: np.ndarray = (atlas.neurons["n_examples"] >= at_least).to_numpy()
    if not enough.any():
        most = int(atlas.neurons["n_examples"].max())
        raise NbkitError(f"no neuron has {at_least} examples (the most is {most}): scan more text or ask for fewer")
    return enough


def joined_metrics(atlas: Atlas, kinds: Sequence[str], min_examples: int) -> dict[str, pd.DataFrame]:
    """The metrics of the neurons with at least `min_examples` examples, one table per kind, rows aligned.

    Raises:
        NbkitError: if no neuron has that many examples.
    """
    enough = has_examples(atlas, min_examples)
    return {kind: atlas.metrics(kind)[enough].reset_index(drop=True) for kind in kinds}


def compare_spaces(
    atlas: Atlas, kinds: Sequence[str] | None = None, min_examples: int = 10, seed: int = 0
) -> pd.DataFrame:
    """Table 1 for every neuron with enough examples, with bootstrap intervals.

    Args:
        kinds: embedding spaces; by default the pre-MLP vector, the atlas's embedding and the shuffled-weight control.
        min_examples: neurons with fewer are left out.
        seed: of the bootstrap.

    Returns:
        One row a number: `kind`, `metric`, `statistic` (mean or median over the neurons), `value`, `low` and `high`
        (its 95% percentile bootstrap interval, neurons resampled), and `n`, the neurons for which the metric is
        defined.
    """
    kinds = kinds or ("pre_mlp", atlas.manifest.embedding, "shuffled")
    tables = joined_metrics(atlas, kinds, min_examples)
    parts = [
        summarize(table[metric], seed).assign(kind=kind, metric=metric)
        for kind, table in tables.items()
        for metric in MEASURES
    ]
    return pd.concat(parts, ignore_index=True)[["kind", "metric", *COLUMNS]]


def paired_differences(atlas: Atlas, kind: str, other: str, min_examples: int = 10, seed: int = 0) -> pd.DataFrame:
    """`kind` minus `other`, neuron by neuron: what is left when everything that differs between neurons cancels.

    Returns:
        As `compare_spaces`, over the neurons for which both are defined; the statistic `share` is the share of them
        whose difference is positive.
    """
    tables = joined_metrics(atlas, (kind, other), min_examples)
    parts = []
    for metric in MEASURES:
        difference = (tables[kind][metric] - tables[other][metric]).dropna()
        share = summarize((difference > 0).astype(float), seed).iloc[:1].assign(statistic="share")
        parts.append(pd.concat([summarize(difference, seed), share]).assign(metric=metric))
    return pd.concat(parts, ignore_index=True)[["metric", *COLUMNS]]


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
