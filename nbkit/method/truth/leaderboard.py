"""The leaderboard: means over units, differences to the pre-MLP vector and to the control, intervals over groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from nbkit.errors import NbkitError
from nbkit.method.intervals import TAILS
from nbkit.method.truth.contestants import BASELINE

RESAMPLES = 1_000


def leaderboard(table: pd.DataFrame, by: Sequence[str] = ("task",), seed: int = 0) -> pd.DataFrame:
    """Means of a benchmark's measures, with paired differences.

    Intervals are 95% percentile bootstrap intervals in which whole groups are drawn, since units of one layer or seed
    are not independent. With fewer than about ten groups they are too narrow; with one they are NaN.

    Args:
        table: of `benchmark`.
        by: columns whose values stand apart, such as task or a difficulty.
        seed: of the bootstrap.

    Returns:
        One row for each value of `by`, measure and contestant: `value` with its own weights, `over_baseline`, the
        difference to the pre-MLP vector of the same units, `over_control`, that to itself with another unit's weights,
        each with `_low` and `_high`; then `units` and `groups`. A measure leaves out units where it is not defined.

    Raises:
        NbkitError: the table is of several versions of the benchmark, or lacks a column.
    """
    if missing := [name for name in (*by, "version", "measure", "contestant") if name not in table.columns]:
        raise NbkitError(f"The table lacks the columns {', '.join(missing)}: give one of `benchmark`.")
    if table["version"].nunique() > 1:
        raise NbkitError("The table is of several versions of the benchmark, which do not compare: measure again.")
    rows = []
    for place, part in table.groupby(list(by), sort=False, dropna=False):
        for measure, measured in part.groupby("measure", sort=False):
            wide = measured.pivot_table(index=["group", "unit"], columns=["contestant", "condition"], values="value")
            groups = wide.index.get_level_values("group").to_numpy()
            for contestant in dict.fromkeys(measured["contestant"]):
                if (contestant, "own") not in wide:
                    continue  # not defined for any unit
                own = wide[(contestant, "own")]
                compared = {
                    "value": own,
                    "over_baseline": own - wide[(BASELINE, "own")],
                    "over_control": own - wide[(contestant, "shuffled")],
                }
                row = dict(zip(by, place, strict=True)) | {"measure": measure, "contestant": contestant}
                for name, values in compared.items():
                    mean, low, high = grouped_mean(values.to_numpy(), groups, seed)
                    row |= {name: mean, f"{name}_low": low, f"{name}_high": high}
                rows.append(row | {"units": int(own.notna().sum()), "groups": len(np.unique(groups[own.notna()]))})
    return pd.DataFrame(rows)


def grouped_mean(values: Float[np.ndarray, " n"], groups: np.ndarray, seed: int = 0) -> tuple[float, float, float]:
    """The mean of the values that are not NaN, and its 95% bootstrap interval in which whole groups are drawn.

    Returns:
        Mean, lower and upper bound; NaN bounds for fewer than two groups, NaN throughout without values.
    """
    present = ~np.isnan(values)
    if not present.any():
        return (float("nan"),) * 3
    _, number = np.unique(groups[present], return_inverse=True)
    sums, counts = np.bincount(number, values[present]), np.bincount(number)
    mean = float(sums.sum() / counts.sum())
    if len(sums) < 2:
        return mean, float("nan"), float("nan")
    drawn = np.random.default_rng(seed).integers(len(sums), size=(RESAMPLES, len(sums)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), TAILS)
    return mean, float(low), float(high)
