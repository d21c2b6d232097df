"""The tables of the page on what the loss buys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from nbkit.sae.loss import Gradient
from nbkit.sae.sweep_columns import ACTIVATIONS, SWEEP_MEASURES, loss_name
from nbkit.studies.shared.estimate import UNDEFINED
from nbkit.studies.trade_off.findings import Count, of_shared_activations
from nbkit.studies.trade_off.matching import MATCHED_BY, Matched, MatchedDifference

GRADIENTS: dict[Gradient, str] = {
    "whole": "whole",
    "average": "through the average alone",
    "opposite": "opposite (control)",
}
"""What the weights feel of the loss, as it is written."""


def sweep_ranges(table: pd.DataFrame) -> pd.DataFrame:
    """How many autoencoders there are, and where they lie: from the lowest to the highest mean over seeds."""
    rows = {}
    groups: Any = table.groupby(["activation", "ne"], sort=False)  # to pandas' stubs its keys are anything
    for (activation, ne), group in groups:
        means = group.groupby("sparsity").mean(numeric_only=True)
        rows[f"{ACTIVATIONS[str(activation)]}, {loss_name(float(str(ne)))}"] = {"autoencoders": len(group)} | {
            SWEEP_MEASURES[metric].title: f"{means[metric].min():.{digits}f} to {means[metric].max():.{digits}f}"
            for metric, digits in (("l0", 1), ("mse", 2), ("accuracy_loss", 1), ("dead", 0), ("size", 0))
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def matched_table(matched: Matched) -> pd.DataFrame:
    """Autoencoders with the loss held against standard ones: a row per measure, a column per activation.

    A cell holds the standard curve's value, the difference and its interval.
    """
    better = {1: "higher", -1: "lower", 0: UNDEFINED}
    shown = [metric for metric in SWEEP_MEASURES if any(metric in measures for measures in matched.values())]
    wide = pd.DataFrame({"better": [better[SWEEP_MEASURES[metric].better] for metric in shown]})
    for name, measures in matched.items():
        wide[ACTIVATIONS[name]] = [_with_standard(measures[metric]) for metric in shown]
    return wide.set_index(pd.Index([SWEEP_MEASURES[metric].title for metric in shown]))


def by_gradient(compared_by: Mapping[Gradient, dict[str, Matched]]) -> pd.DataFrame:
    """How many independent measures are better and worse for each gradient and activation, and what that costs.

    Args:
        compared_by: of `compared_gradients`.
    """
    rows = {}
    for gradient, mine in of_shared_activations(compared_by).items():
        for activation in mine["l0"]:
            cells: dict[str, str] = {}
            for by, other in (("l0", "mse"), ("mse", "l0")):
                measures = mine[by][activation]
                count = Count.of({activation: measures})
                cells |= {
                    f"at equal {MATCHED_BY[by]}: better, worse": f"{count.better}, {count.worse}",
                    f"… mean distance ({MATCHED_BY[by]})": _difference(measures["mean_distance"]),
                    f"… {SWEEP_MEASURES[other].title}": _difference(measures[other]),
                }
            rows[GRADIENTS[gradient], ACTIVATIONS[activation]] = cells
    return pd.DataFrame.from_dict(rows, orient="index")


def _with_standard(mine: MatchedDifference) -> str:
    if not mine.difference.known:
        return UNDEFINED
    return f"{mine.standard:.{SWEEP_MEASURES[mine.metric].digits}f}; {_difference(mine)}"


def _difference(mine: MatchedDifference) -> str:
    return f"{mine.difference:+.{SWEEP_MEASURES[mine.metric].digits}f}"
