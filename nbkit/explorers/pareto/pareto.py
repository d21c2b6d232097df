"""The Pareto explorer: any measure of a sweep of sparse autoencoders against any other."""

from __future__ import annotations

from typing import Any

import anywidget
import pandas as pd
import traitlets

from nbkit.errors import NbkitError
from nbkit.explorers.shared.bundle import module_text, style_text
from nbkit.explorers.shared.page_json import page_json
from nbkit.method.intervals import mean_interval
from nbkit.sae.sweep_columns import ACTIVATION_TITLES, CELL, SWEEP_MEASURES

LOGARITHMIC = ("mse", "l0", "max_distance", "mean_distance", "relative_distance")
"""Measures on a logarithmic axis, if all their values are positive."""
SENT_DIGITS = 4
"""Significant digits that are sent."""


class ParetoExplorer(anywidget.AnyWidget):
    """Autoencoders of a sweep as marks: small for a seed, large with intervals for the mean over seeds.

    `x` and `y` name the measures on the axes and `activations` the kinds of autoencoders that are shown. They can be
    read, set and linked from Python, and follow the reader in JupyterLab.
    """

    _esm = module_text("pareto/pareto.js")
    _css = style_text("shared/explorer.css", "pareto/pareto.css")

    data = traitlets.Unicode().tag(sync=True)
    """The points as JSON (see `pareto_data`)."""
    x = traitlets.Unicode().tag(sync=True)
    y = traitlets.Unicode().tag(sync=True)
    activations = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, table: pd.DataFrame, x: str = "l0", y: str = "mean_distance") -> None:
        """Show a sweep.

        Args:
            table: of `nbkit.studies.trade_off.experiment.sweep`.
            x, y: measures, columns of the table.

        Raises:
            NbkitError: the table has no rows, lacks a column, or has no such measure.
        """
        text, self._names, self._kinds = pareto_data(table)
        super().__init__(data=text, x=x, y=y, activations=self._kinds)

    @traitlets.validate("x", "y")
    def _check_axis(self, proposal: dict[str, Any]) -> str:
        name = str(proposal["value"])
        if name not in self._names:
            raise NbkitError(f"There is no measure {name!r} to show: choose one of {', '.join(self._names)}.")
        return name

    @traitlets.validate("activations")
    def _check_activations(self, proposal: dict[str, Any]) -> list[str]:
        chosen = [str(name) for name in proposal["value"]]
        if odd := [name for name in chosen if name not in self._kinds]:
            raise NbkitError(f"There is no activation {odd[0]!r} to show: choose from {', '.join(self._kinds)}.")
        return chosen


def pareto_data(table: pd.DataFrame) -> tuple[str, list[str], list[str]]:
    """What `pareto.js` draws.

    A point of the grid has, for each measure, the mean over seeds with the ends of its 95% Student interval (null for a
    single seed) and the values of the seeds, null where undefined. The text is ASCII without `<`.

    Returns:
        The JSON; the names of the measures; the activations.

    Raises:
        NbkitError: the table has no rows, lacks a column, or holds an unknown activation.
    """
    names = [name for name in SWEEP_MEASURES if name in table.columns]
    if missing := sorted({*CELL, "seed"} - set(table.columns)):
        raise NbkitError(f"The table lacks the columns {', '.join(missing)}.")
    if table.empty or len(names) < 2:
        raise NbkitError("There is nothing to show: the table needs rows and at least two measures.")
    kinds = list(dict.fromkeys(table["activation"].astype(str)))
    if odd := [kind for kind in kinds if kind not in ACTIVATION_TITLES]:
        raise NbkitError(f"There is no activation {odd[0]!r}: choose from {', '.join(ACTIVATION_TITLES)}.")
    levels = sorted({0.0, *table["ne"].astype(float)})  # the first is the standard one, whether the table has it or not
    points: list[dict[str, Any]] = []
    for (kind, ne, sparsity), group in table.groupby(CELL, sort=True):
        found = {name: mean_interval(group[name].to_numpy(dtype=float)) for name in names}
        points.append(
            {
                "kind": kinds.index(str(kind)),
                "level": levels.index(float(ne)),  # type: ignore[arg-type]
                "sparsity": float(sparsity),  # type: ignore[arg-type]
                "means": [[_number(value) for value in found[name]] for name in names],
                "seeds": [[_number(value) for value in group[name]] for name in names],
            }
        )
    points.sort(key=lambda point: point["kind"])  # in the order in which the activations are offered
    axes = [
        {
            "name": name,
            "title": SWEEP_MEASURES[name].title,
            "digits": SWEEP_MEASURES[name].digits,
            "log": name in LOGARITHMIC and bool((table[name].dropna() > 0).all()),
        }
        for name in names
    ]
    described = [
        {"name": kind, "title": ACTIVATION_TITLES[kind], "by": "λ₁" if kind == "relu" else "k"} for kind in kinds
    ]
    payload = {"axes": axes, "kinds": described, "levels": levels, "points": points}
    return page_json(payload), names, kinds


def _number(value: float) -> float | None:
    return float(f"{value:.{SENT_DIGITS}g}") if abs(value) < float("inf") else None
