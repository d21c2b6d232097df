"""The tables of the page on what the loss buys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from nbkit.sae.loss import Gradient
from nbkit.sae.sweep_columns import ACTIVATION_TITLES, SWEEP_MEASURES, loss_name
from nbkit.studies.shared.estimate import UNDEFINED
from nbkit.studies.shared.table import BookTable, Printed, Range
from nbkit.studies.trade_off.findings import Count, MatchedAnswer, of_shared_activations
from nbkit.studies.trade_off.matching import MATCHED_BY, Matched

GRADIENTS: dict[Gradient, str] = {
    "whole": "whole",
    "average": "through the average alone",
    "opposite": "opposite (control)",
}
"""What the weights feel of the loss, as it is written."""


def sweep_ranges(table: pd.DataFrame) -> BookTable:
    """How many autoencoders there are, and where they lie: from the lowest to the highest mean over seeds."""
    shown = {"l0": 1, "mse": 2, "accuracy_loss": 1, "dead": 0, "size": 0}
    rows = {}
    groups: Any = table.groupby(["activation", "ne"], sort=False)  # to pandas' stubs its keys are anything
    for (activation, ne), group in groups:
        means = group.groupby("sparsity").mean(numeric_only=True)
        rows[ACTIVATION_TITLES[str(activation)], loss_name(float(str(ne)))] = {"autoencoders": len(group)} | {
            SWEEP_MEASURES[metric].title: Range(float(means[metric].min()), float(means[metric].max()))
            for metric in shown
        }
    digits = {SWEEP_MEASURES[metric].title: digits for metric, digits in shown.items()}
    return BookTable("sweep-ranges", pd.DataFrame.from_dict(rows, orient="index", dtype=object), digits)


def answers_table(answer: MatchedAnswer) -> BookTable:
    """For each activation the independent measures by how they come out, and the points and seeds that say so."""
    rows = {
        mine.name: {
            "better": mine.better,
            "worse": mine.worse,
            "no measurable difference": mine.undecided,
            "largest difference / %": mine.largest_change if mine in answer.inside else None,
            "points": f"{mine.own.n_points} of {mine.own.n_all}",
            "seeds": mine.own.n_seeds,
        }
        for mine in answer.activations
    }
    return BookTable(
        "answers", pd.DataFrame.from_dict(rows, orient="index", dtype=object), {"largest difference / %": 0}
    )


def matched_table(matched: Matched) -> BookTable:
    """Autoencoders with the loss held against standard ones: a row per measure, two columns per activation.

    These hold the standard curve's value, and the difference with its interval.
    """
    better = {1: "higher", -1: "lower", 0: UNDEFINED}
    shown = [metric for metric in SWEEP_MEASURES if any(metric in measures for measures in matched.values())]
    columns: dict[str, list[object]] = {"better": [better[SWEEP_MEASURES[metric].better] for metric in shown]}
    for name, measures in matched.items():
        known = [measures[metric].difference.known for metric in shown]
        columns[f"{ACTIVATION_TITLES[name]}, standard"] = [
            Printed(measures[metric].standard, SWEEP_MEASURES[metric].digits) if there else None
            for metric, there in zip(shown, known, strict=True)
        ]
        columns[f"{ACTIVATION_TITLES[name]}, difference"] = [measures[metric].difference for metric in shown]
    titles = [SWEEP_MEASURES[metric].title for metric in shown]
    digits = {SWEEP_MEASURES[metric].title: SWEEP_MEASURES[metric].digits for metric in shown}
    return BookTable("matched", pd.DataFrame(columns, index=titles, dtype=object), digits)


def by_gradient(compared_by: Mapping[Gradient, dict[str, Matched]], by: str) -> BookTable:
    """How many independent measures are better and worse for each gradient and activation, and what that costs.

    Args:
        compared_by: of `compared_gradients`.
        by: what is equal, `l0` or `mse`; the other one is a price.
    """
    [price] = [name for name in MATCHED_BY if name != by]
    rows = {}
    for gradient, mine in of_shared_activations(compared_by).items():
        for activation, measures in mine[by].items():
            count = Count.of({activation: measures})
            rows[GRADIENTS[gradient], ACTIVATION_TITLES[activation]] = {
                "better": count.better,
                "worse": count.worse,
                "undecided": count.undecided,
                "mean distance": measures["mean_distance"].difference,
                SWEEP_MEASURES[price].title: measures[price].difference,
            }
    digits = {SWEEP_MEASURES[name].title: SWEEP_MEASURES[name].digits for name in ("mean_distance", price)}
    return BookTable("by-gradient", pd.DataFrame.from_dict(rows, orient="index", dtype=object), digits)
