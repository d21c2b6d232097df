"""Autoencoders held against a curve of others: the same L0, or the same reconstruction error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbkit.errors import NbkitError
from nbkit.sae.sweep_columns import CELL, SWEEP_MEASURES
from nbkit.studies.shared.estimate import Difference

MATCHED_BY = {"l0": "L0", "mse": "MSE"}
"""The columns that autoencoders are matched by, as they are written."""


@dataclass(frozen=True)
class MatchedDifference:
    """A measure of autoencoders with the loss minus that of standard ones of the same L0 or MSE, over seeds."""

    metric: str
    difference: Difference
    standard: float
    """The mean of the standard curves where autoencoders are held against them."""
    n_seeds: int
    n_points: int
    """Points of the grid that count."""
    n_left_out: int
    """Those outside the curve of some seed."""
    curve_error: float
    """How far on average a curve misses a standard autoencoder that is taken out of it: with twice the distance between
    neighbors, so an upper bound to its error."""

    @property
    def n_all(self) -> int:
        """Points of the grid."""
        return self.n_points + self.n_left_out

    @property
    def with_loss(self) -> float:
        """The measure with the loss."""
        return self.standard + self.difference.value

    @property
    def verdict(self) -> int:
        """1 if the interval says better, -1 if it says worse, 0 if it holds zero or there is none."""
        return SWEEP_MEASURES[self.metric].better * self.difference.sign


Matched = dict[str, dict[str, MatchedDifference]]
"""By activation and metric."""


def matched_points(table: pd.DataFrame, by: str, metrics: Sequence[str]) -> pd.DataFrame:
    """Each autoencoder with the neuron-embedding loss minus the standard ones of its seed, where these have its `by`.

    The standard autoencoders of an activation and a seed make a curve for each metric: straight between neighboring
    points over the logarithm of `by`. Nothing is extrapolated.

    Args:
        table: of `nbkit.studies.trade_off.experiment.sweep`.
        by: the column to match, `l0` or `mse`; positive.
        metrics: the columns to compare.

    Returns:
        One row per autoencoder with that loss: `activation`, `ne`, `sparsity`, `seed`, the value of `by`, the
        differences of the metrics, the curves' values as `standard_…`, and `inside`, whether the curves reach there;
        both are NaN if not.

    Raises:
        NbkitError: a column is missing.
    """
    if missing := sorted({*CELL, "seed", by, *metrics} - set(table.columns)):
        raise NbkitError(f"The table lacks the columns {', '.join(missing)}.")
    parts = []
    for _, group in table.groupby(["activation", "seed"], sort=False):
        standard, others = group[group["ne"] == 0], group[group["ne"] > 0]
        rows = others[[*CELL, "seed", by]].copy()
        x, at = standard[by].to_numpy(), others[by].to_numpy()
        curves = [_interpolated(x, standard[metric].to_numpy(), at) for metric in metrics]
        rows["inside"] = _inside(standard[by].to_numpy(), others[by].to_numpy())
        for metric, curve in zip(metrics, curves, strict=True):
            if metric != by:
                rows[metric] = others[metric].to_numpy() - curve
                rows[f"standard_{metric}"] = curve
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def matched_differences(table: pd.DataFrame, by: str, metrics: Sequence[str]) -> Matched:
    """The differences of `matched_points` over seeds, with 95% intervals, by activation and metric.

    For each seed the differences are averaged over the points of the grid that lie inside the curves of all seeds. The
    interval is Student's, over those averages: seeds are what was repeated, and they are few, where a bootstrap's
    intervals come out too narrow.
    """
    metrics = [metric for metric in metrics if metric != by]
    found: Matched = {}
    for activation, points in matched_points(table, by, metrics).groupby("activation", sort=False):
        mine = table[table["activation"] == activation]
        wide = points.pivot(index="seed", columns=CELL, values=[*metrics, *(f"standard_{m}" for m in metrics)])
        found[str(activation)] = {
            metric: _over_seeds(wide, metric, _curve_error(mine, by, metric)) for metric in metrics
        }
    return found


def _over_seeds(wide: pd.DataFrame, metric: str, curve_error: float) -> MatchedDifference:
    """One metric of the points of one activation, a row a seed."""
    cells = pd.DataFrame(wide[metric])
    counted = cells.dropna(axis=1)  # NaN where a curve doesn't reach, or a figure is not defined
    curves = pd.DataFrame(wide[f"standard_{metric}"])[counted.columns]
    return MatchedDifference(
        metric,
        Difference.over_seeds(counted.mean(axis=1).to_numpy() if counted.size else np.array([])),
        float(np.mean(curves.to_numpy())) if counted.size else np.nan,
        n_seeds=len(wide),
        n_points=counted.shape[1],
        n_left_out=cells.shape[1] - counted.shape[1],
        curve_error=curve_error,
    )


def _inside(curve: np.ndarray, at: np.ndarray) -> np.ndarray:
    known = curve[np.isfinite(curve) & (curve > 0)]
    inside: np.ndarray = (at >= known.min()) & (at <= known.max()) if len(known) else np.zeros(len(at), dtype=bool)
    return inside


def _interpolated(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The curve through the points (x, y), in order of x, at other x; NaN beyond its ends."""
    known = (x > 0) & np.isfinite(y)
    if not known.any():
        return np.full(len(at), np.nan)
    order = np.argsort(x[known], kind="stable")
    xs, ys = np.log(x[known][order]), y[known][order]
    found: np.ndarray = np.interp(np.log(at), xs, ys, left=np.nan, right=np.nan)
    return found


def _curve_error(table: pd.DataFrame, by: str, metric: str) -> float:
    """The mean absolute error of the standard curve, over the points left out, of errors averaged over seeds."""
    errors: dict[float, list[float]] = {}
    for _, group in table[table["ne"] == 0].groupby("seed"):
        x, y = group[by].to_numpy(), group[metric].to_numpy()
        for place, sparsity in enumerate(group["sparsity"]):
            others = np.arange(len(x)) != place
            expected = _interpolated(x[others], y[others], x[place : place + 1])[0]
            errors.setdefault(float(sparsity), []).append(float(y[place]) - expected)
    means = [np.mean(known) for found in errors.values() if (known := [e for e in found if np.isfinite(e)])]
    return float(np.mean(np.abs(means))) if means else float("nan")
