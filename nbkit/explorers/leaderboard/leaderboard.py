"""The leaderboard explorer: contestants of the benchmark, each beside its control, by a task and measure of choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import anywidget
import numpy as np
import pandas as pd
import traitlets

from nbkit.errors import NbkitError
from nbkit.explorers.shared.bundle import module_text, style_text
from nbkit.explorers.shared.page_json import page_json
from nbkit.method.checks import shown
from nbkit.method.truth.contestants import BASELINE

ALL_TASKS = "all tasks"
"""In the place of a task: a column for each."""
BOARD_TITLES: Mapping[str, str] = {
    "auc": "pair AUC",
    "ari_at_k": "ARI at the true number",
    "ari": "ARI at {rule}",
    "ari_best": "ARI at the best cut",
    "ami_at_k": "AMI at the true number",
    "ami": "AMI at {rule}",
    "ami_best": "AMI at the best cut",
    "clusters": "clusters at {rule}",
    "best_cut": "the best cut",
}
"""In the order in which they are offered; a measure that is not here comes behind them under its own name."""
TRUE_NUMBER = "behaviors"
"""A measure of the units, not of a space: it stands beside `clusters`."""
BOARD_DIGITS = {"clusters": 1, "best_cut": 2}
"""Decimals; other measures have three."""
BOARD_COMPARED = ("value", "over_baseline", "over_control")
"""What can be shown of all tasks."""
SORTED_BY = ("contestant", *BOARD_COMPARED, "units", TRUE_NUMBER)
BOARD_PLACE = ["task", "measure", "contestant"]
BOARD_NUMBERS = [*(f"{name}{end}" for name in BOARD_COMPARED for end in ("", "_low", "_high")), "units", "groups"]
BOARD_DECIMALS = 4
"""Decimals that are sent."""


class LeaderboardExplorer(anywidget.AnyWidget):
    """A leaderboard as a table: a contestant a row, with its lead over the baseline and over its own control.

    `task` names a task, or is "all tasks", of which `show` then says what is shown: `value`, `over_baseline` or
    `over_control`. `measure` names the measure; `sort` the column by which rows stand, empty for the order of the
    table, and `down` whether from the highest. All can be read, set and linked from Python, and follow the reader in
    JupyterLab.
    """

    _esm = module_text("leaderboard/leaderboard.js")
    _css = style_text("shared/explorer.css", "leaderboard/leaderboard.css")

    data = traitlets.Unicode().tag(sync=True)
    """The leaderboard as JSON (see `leaderboard_data`)."""
    task = traitlets.Unicode().tag(sync=True)
    measure = traitlets.Unicode().tag(sync=True)
    show = traitlets.Unicode(BOARD_COMPARED[0]).tag(sync=True)
    sort = traitlets.Unicode().tag(sync=True)
    down = traitlets.Bool(True).tag(sync=True)

    def __init__(
        self,
        board: pd.DataFrame,
        titles: Mapping[str, str] | None = None,
        task: str | None = None,
        measure: str | None = None,
        sort: str = "value",
        rule: str = "the paper's cut",
        baseline: str = BASELINE,
    ) -> None:
        """Show a leaderboard.

        Args:
            board: of `nbkit.leaderboard`, by task.
            titles: of tasks, which are offered in their order; those without one come behind, under their own names.
            task: the one to begin with, or "all tasks"; None for the first.
            measure: the one to begin with, a field of `nbkit.Recovery`; None for the first, pair AUC if there is one.
            sort: the column to sort by: `contestant`, `value`, `over_baseline`, `over_control`, `units`; of all tasks
                a task.
            rule: what the rule is called whose clusters the benchmark measured.
            baseline: the contestant that the others are compared to in the board.

        Raises:
            NbkitError: the board is no leaderboard by task, or has no such task, measure, column or baseline.
        """
        about = leaderboard_data(board, {} if titles is None else titles, rule, baseline)
        self._tasks = [each["name"] for each in about["tasks"]]
        self._measures = [each["name"] for each in about["measures"]]
        super().__init__(
            data=page_json(about),
            task=self._tasks[0] if task is None else task,
            measure=self._measures[0] if measure is None else measure,
            sort=sort,
        )

    @traitlets.validate("task", "measure", "show", "sort")
    def _check_choice(self, proposal: dict[str, Any]) -> str:
        name = proposal["trait"].name
        choices = {
            "task": [*self._tasks, ALL_TASKS],
            "measure": self._measures,
            "show": BOARD_COMPARED,
            "sort": ["", *SORTED_BY, *self._tasks],
        }
        what = {"task": "task", "measure": "measure", "show": "number", "sort": "column"}
        return _chosen(what[name], str(proposal["value"]), choices[name])


def leaderboard_data(
    board: pd.DataFrame, titles: Mapping[str, str], rule: str = "the paper's cut", baseline: str = BASELINE
) -> dict[str, Any]:
    """What `leaderboard.js` shows.

    `rows` hold the places of task, measure and contestant; then of `value`, `over_baseline` and `over_control` each the
    mean, half its interval and 1 or -1 if the whole interval lies above or below zero (else 0), null where undefined;
    then the numbers of units and groups.

    Raises:
        NbkitError: see `LeaderboardExplorer`.
    """
    if not isinstance(board, pd.DataFrame):
        raise NbkitError(f"board is {shown(board)}: give one of `nbkit.leaderboard`.")
    if missing := [name for name in (*BOARD_PLACE, *BOARD_NUMBERS) if name not in board.columns]:
        raise NbkitError(f"The board lacks the columns {', '.join(missing)}: give one of `nbkit.leaderboard`.")
    if odd := [name for name in BOARD_NUMBERS if not pd.api.types.is_numeric_dtype(board[name])]:
        raise NbkitError(f"The board's column {odd[0]} holds no numbers: give one of `nbkit.leaderboard`.")
    if not isinstance(titles, Mapping):
        raise NbkitError(f"titles are {shown(titles)}: give a dict from tasks to their titles.")
    named = board.assign(**{name: board[name].astype(str) for name in BOARD_PLACE})
    if (twice := named.duplicated(BOARD_PLACE)).any():
        task, measure, contestant = named.loc[twice, BOARD_PLACE].iloc[0]
        raise NbkitError(f"The board has two rows for {contestant} in {measure} of {task}: make it by task alone.")
    contestants = list(dict.fromkeys(named["contestant"]))
    there = set(named["measure"])
    measures = [name for name in dict.fromkeys([*BOARD_TITLES, *named["measure"]]) if name in there - {TRUE_NUMBER}]
    if not measures:
        raise NbkitError("There is nothing to show: the board has no rows of a measure.")
    _chosen("baseline", baseline, contestants)
    tasks = [str(name) for name in dict.fromkeys([*titles, *named["task"]]) if str(name) in set(named["task"])]
    sent = [*measures, TRUE_NUMBER]
    rows = [
        [tasks.index(row["task"]), sent.index(row["measure"]), contestants.index(row["contestant"])]
        + [
            number
            for name in BOARD_COMPARED
            for number in _sent(*(row[f"{name}{end}"] for end in ("", "_low", "_high")))
        ]
        + [int(row["units"]), int(row["groups"])]
        for row in named.to_dict("records")
    ]
    return {
        "tasks": [{"name": name, "title": str(titles.get(name, name))} for name in tasks],
        "measures": [
            {
                "name": name,
                "title": BOARD_TITLES.get(name, name).format(rule=rule),
                "digits": BOARD_DIGITS.get(name, 3),
            }
            for name in measures
        ],
        "contestants": contestants,
        "baseline": baseline,
        "rows": rows,
    }


def _sent(mean: float, low: float, high: float) -> tuple[float | None, float | None, int]:
    """A mean, half its interval, and the side of zero on which the whole interval lies."""
    halves = [round(value, BOARD_DECIMALS) if np.isfinite(value) else None for value in (mean, (high - low) / 2)]
    return halves[0], halves[1], int(low > 0) - int(high < 0)


def _chosen(what: str, name: str, choices: Sequence[str]) -> str:
    if name not in choices:
        raise NbkitError(f"There is no {what} {name!r} to show: choose one of {', '.join(filter(None, choices))}.")
    return name
