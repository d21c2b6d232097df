"""The leaderboard: means over units, differences to a baseline and to the control, intervals over groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nbkit.errors import NbkitError
from nbkit.method.checks import shown
from nbkit.method.intervals import grouped_mean
from nbkit.method.truth.contestants import BASELINE

UNIT_COLUMNS = ("group", "unit", "contestant", "condition")


def leaderboard(table: pd.DataFrame, by: str | Sequence[str] = ("task",), baseline: str = BASELINE) -> pd.DataFrame:
    """Means of a benchmark's measures, with paired differences.

    Intervals are Student's with one degree of freedom less than groups, since units of one layer or seed are not
    independent: of one group there is none, and the bounds are NaN; of two they are of no use, and may pass what a
    measure can be. Take four layers or seeds.

    Args:
        table: of `benchmark`. Tables of several rules make a leaderboard each: their measures of the baseline differ.
        by: columns whose values stand apart, such as task or a difficulty.
        baseline: the contestant that others are compared to.

    Returns:
        One row for each value of `by`, measure and contestant: `value` with its own weights, `over_baseline`, the
        difference to the baseline on the same units, `over_control`, that to itself with another unit's weights,
        each with `_low` and `_high`; then `units` and `groups`. A measure leaves out units where it is not defined.

    Raises:
        NbkitError: the table is of several versions of the benchmark, lacks a column, or has two values of one measure
            of one unit, or nobody is called as the baseline.
    """
    columns = (by,) if isinstance(by, str) else by
    if not isinstance(table, pd.DataFrame):
        raise NbkitError(f"table is {shown(table)}: give one of `benchmark`.")
    if not isinstance(columns, Sequence) or not columns:
        raise NbkitError(f"by is {shown(by)}: give names of columns.")
    needed = (*columns, "version", "measure", "value", *UNIT_COLUMNS)
    if missing := [shown(name) for name in needed if not isinstance(name, str) or name not in table.columns]:
        raise NbkitError(f"The table lacks the columns {', '.join(missing)}: give one of `benchmark`.")
    if table["version"].nunique() > 1:
        raise NbkitError("The table is of several versions of the benchmark, which do not compare: measure again.")
    if baseline not in (known := list(table["contestant"].unique())):
        raise NbkitError(f"No contestant is called {shown(baseline)}: the table has {', '.join(map(str, known))}.")
    if (twice := table.duplicated([*columns, "measure", *UNIT_COLUMNS])).any():
        first = table[twice].iloc[0]
        raise NbkitError(
            f"{first['contestant']} has two values of {first['measure']} for unit {first['unit']}: give tables of two "
            "rules or runs one by one, and set units of several tasks apart by `task`."
        )
    rows = []
    for place, part in table.groupby(list(columns), sort=False, dropna=False):
        for measure, measured in part.groupby("measure", sort=False):
            wide = measured.pivot_table(index=["group", "unit"], columns=["contestant", "condition"], values="value")
            groups = wide.index.get_level_values("group").to_numpy()
            for contestant in dict.fromkeys(measured["contestant"]):
                if (contestant, "own") not in wide:
                    continue  # not defined for any unit
                own = wide[(contestant, "own")]
                compared = {
                    "value": own,
                    "over_baseline": own - wide.get((baseline, "own"), np.nan),
                    "over_control": own - wide.get((contestant, "shuffled"), np.nan),
                }
                row = dict(zip(columns, place, strict=True)) | {"measure": measure, "contestant": contestant}
                for name, values in compared.items():
                    mean, low, high = grouped_mean(values.to_numpy(), groups)
                    row |= {name: mean, f"{name}_low": low, f"{name}_high": high}
                rows.append(row | {"units": int(own.notna().sum()), "groups": len(np.unique(groups[own.notna()]))})
    return pd.DataFrame(rows)
