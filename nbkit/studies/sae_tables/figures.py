"""The search for the paper's row with the neuron-embedding loss, and what that loss does once it is on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from nbkit.figures.palette import ALONE, CLUSTER_COLORS, INK
from nbkit.figures.style import WIDTH, BookFigure, styled
from nbkit.studies.sae_tables.columns import TABLE_COLUMNS, short_titles
from nbkit.studies.sae_tables.reproduction import Reproduction, misses
from nbkit.studies.shared.paper import PAPER_COLUMNS, PAPER_ROWS, STANDARD, WITH_LOSS

COURSE_COLUMNS = ("l0", "mean_distance")
COURSE_LINES = ("o-", "o--")
LOWEST = 0.02
"""Ratios below are drawn here."""


@styled("All settings of the search as lines over the eight columns, each figure as its ratio to the paper's NE row.")
def settings_tried(found: Reproduction) -> Figure:
    """Every setting of the search over the columns of the paper's table.

    A setting that had all of the paper's figures would be the level line at 1.

    Args:
        found: what was tried.
    """
    tried, over_seeds = _ratios(misses(found.tried)), _ratios(misses(found.rows))
    n = len(tried)
    lines: list[tuple[str, Sequence[float], dict[str, Any]]] = [
        (f"{n} settings tried", line, {"color": ALONE, "linewidth": 0.7, "alpha": 0.45}) for line in tried.values()
    ]
    paper = _ratios(PAPER_ROWS.loc[[STANDARD]])[STANDARD]
    lines.append(("the paper's standard row", paper, {"color": INK, "linestyle": ":", "marker": "o"}))
    blue, orange, *_ = CLUSTER_COLORS
    if found.stated is not None:
        stated = over_seeds[found.stated]
        lines.append(
            ("start, m and sum as the paper states", stated, {"color": orange, "linestyle": "--", "marker": "s"})
        )
    lines.append(("nearest", over_seeds[found.nearest], {"color": blue, "linewidth": 2.2, "marker": "D"}))

    figure = BookFigure(figsize=(WIDTH, 3.6))
    ax = figure.subplots()
    ax.axhline(1, color=INK, linewidth=0.8)
    handles = {}
    for label, ratios, look in lines:
        [handles[label]] = ax.plot(range(len(PAPER_COLUMNS)), ratios, **look)
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_minor_formatter(lambda *_: "")
    ax.set_ylabel("ratio to the paper's row with the loss")
    ax.set_xticks(range(len(PAPER_COLUMNS)), short_titles(PAPER_COLUMNS))
    ax.grid(visible=True, axis="y")
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=2)
    table = pd.DataFrame([ratios for _, ratios, _ in lines], columns=list(short_titles(PAPER_COLUMNS)))
    table.insert(0, "figures as a ratio to the paper's row with the loss", [label for label, *_ in lines])
    figure.data = {"": table}
    return figure


@styled("L0 and the mean distance while autoencoders train: a line per setting, the paper's level dotted.")
def course_of_the_loss(found: Reproduction, course: pd.DataFrame) -> Figure:
    """L0 and the mean distance over the steps of the training.

    The marked point of a line is the step at which its loss starts.

    Args:
        found: what was tried.
        course: of `nbkit.studies.sae_tables.course.loss_course`, of settings that were tried.
    """
    figure = BookFigure(figsize=(WIDTH, 2.8))
    axes = figure.subplots(1, len(COURSE_COLUMNS))
    handles = {}
    for ax, column in zip(axes, COURSE_COLUMNS, strict=True):
        handles["the paper's row with the loss"] = ax.axhline(
            PAPER_ROWS.loc[WITH_LOSS, column], color=INK, linestyle=":"
        )
        for place, (name, rows) in enumerate(course.groupby("name", sort=False)):
            config = found.configs[str(name)]
            label = f"λ₂ = {config.ne:g}, start {config.ne_start}"
            start = list(np.flatnonzero(rows["step"] == config.ne_start))
            [handles[label]] = ax.plot(
                rows["step"], rows[column], COURSE_LINES[place % 2], color=CLUSTER_COLORS[place], markevery=start
            )
        ax.set_xlabel("step")
        ax.set_ylabel(TABLE_COLUMNS[column].title)
        ax.set_ylim(bottom=0)
        ax.grid(visible=True)
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=3)
    titles = {column: TABLE_COLUMNS[column].title for column in COURSE_COLUMNS}
    shown = course.assign(
        **{"λ₂": [found.configs[str(name)].ne for name in course["name"]]},
        start=[found.configs[str(name)].ne_start for name in course["name"]],
    )
    columns = {"λ₂": "λ₂", "start": "step at which the loss starts", "step": "step", **titles}
    figure.data = {"": shown[list(columns)].rename(columns=columns)}
    return figure


def _ratios(means: pd.DataFrame) -> dict[str, list[float]]:
    """Figures over those of the paper's row, by setting."""
    ratios = means[list(PAPER_COLUMNS)].to_numpy(dtype=np.float64) / PAPER_ROWS.loc[[WITH_LOSS]].to_numpy()
    return dict(zip(map(str, means.index), ratios.clip(LOWEST).tolist(), strict=True))
