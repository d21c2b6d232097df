"""The page's figures: every contestant's lead over the pre-MLP vector, and clusters of real neurons put to the test."""

from collections.abc import Mapping
from textwrap import fill

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nbkit.figures.palette import CLUSTER_COLORS, QUIET
from nbkit.figures.style import WIDTH, BookFigure, set_heading, styled
from nbkit.method.truth.contestants import BASELINE
from nbkit.studies.ground_truth.findings import TASKS, by_place, difference, tasks_of
from nbkit.studies.ground_truth.prediction_and_cause import TOLD_TITLES, contrasts, gains, of_test, over_neurons
from nbkit.studies.shared.estimate import Estimate

OWN_COLOR, CONTROL_COLOR = CLUSTER_COLORS[0], QUIET
TASKS_IN_A_ROW = 3
LEADERBOARD_MARKS = (("o", OWN_COLOR, 0.0), ("D", CONTROL_COLOR, 0.22), ("s", CONTROL_COLOR, 0.4))
"""Marker, color and place."""


@styled(
    "Pair AUC over the pre-MLP vector's, by task and contestant, with intervals over groups; and that of the same "
    "space with another unit's weights."
)
def leads(board: pd.DataFrame) -> Figure:
    """Pair AUC over the pre-MLP vector's, by task and contestant, with intervals over groups; and that of the
    same space with another unit's weights.

    Args:
        board: of `standing`.
    """
    rows, tasks = by_place(board, "auc"), tasks_of(board)
    names = [name for name in dict.fromkeys(name for _, name in rows) if name != BASELINE]
    n_rows = -(-len(tasks) // TASKS_IN_A_ROW)
    figure = BookFigure(figsize=(WIDTH, n_rows * (0.6 + 0.17 * len(names))))
    axes = figure.subplots(n_rows, TASKS_IN_A_ROW, sharey=True, squeeze=False)
    shown = []
    for ax, task in zip(axes.flat, tasks, strict=False):
        for place, name in enumerate(names):
            if (task, name) not in rows:
                continue
            lead, over_control = (difference(rows[task, name], what) for what in ("over_baseline", "over_control"))
            ax.hlines(place, lead.low, lead.high, color=OWN_COLOR, linewidth=2.2, alpha=0.5)
            ax.plot(lead.value - over_control.value, place, "D", color=CONTROL_COLOR, markersize=3.5)
            ax.plot(lead.value, place, "o", color=OWN_COLOR, markersize=4.5)
            shown.append((TASKS[task], name, lead.value, lead.low, lead.high, over_control.value))
        ax.axvline(0, color=QUIET, linewidth=0.8)
        ax.set_title(TASKS[task])
        ax.set_xlabel(f"{rows[task, BASELINE]['units']} units")
        ax.grid(visible=True, axis="x")
    for ax in axes.flat[len(tasks) :]:
        ax.set_axis_off()
    axes[0, 0].set_yticks(range(len(names)), names)
    axes[0, 0].set_ylim(len(names) - 0.5, -0.5)
    marks = [
        Line2D([], [], marker="o", color=OWN_COLOR, linewidth=2.2, label="the unit's own weights"),
        Line2D([], [], marker="D", color=CONTROL_COLOR, linewidth=0, label="another unit's weights"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=2)
    set_heading(figure, "Pair AUC over that of the pre-MLP vector")
    columns = ["task", "contestant", "lead", "low", "high", "over its control"]
    figure.data = {"": pd.DataFrame(shown, columns=columns)}
    return figure


@styled(
    "How well clusters of real neurons are told from text, and how far zeroing the neuron changes what comes next "
    "in one cluster more alike than across clusters; beside controls, with intervals over neurons."
)
def told_and_changed(table: pd.DataFrame, seed: int = 0) -> Figure:
    """How well clusters of real neurons are told from text, and how far zeroing the neuron changes what comes next in
    one cluster more alike than across clusters; beside controls, with intervals over neurons.

    Args:
        table: of `real_neurons`; a test without rows has no panel.
        seed: of the bootstrap.
    """
    text, output = of_test(table, "text"), of_test(table, "output")
    panels: dict[str, Mapping[str, pd.DataFrame]] = {}
    if len(text):
        scores = {"text": "whole text", "word": "key word", "sentence": "sentence"}
        panels["AUPRC, corrected for chance"] = {title: gains(text, score) for score, title in scores.items()}
    if len(output):
        changed, of = {"zeroed": "neuron zeroed", "other": "another lowered"}, contrasts(output)
        panels["contrast of changes (cosine)"] = {title: of[who] for who, title in changed.items()}
    figure = BookFigure(figsize=(WIDTH, 3.0))
    shown = []
    for ax, (label, series) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        names = [TOLD_TITLES[str(grouping)] for grouping in next(iter(series.values()))]
        for (title, values), (marker, color, shift) in zip(series.items(), LEADERBOARD_MARKS, strict=False):
            for place, (name, (_, of_neurons)) in enumerate(zip(names, values.items(), strict=True)):
                found = over_neurons(Estimate, of_neurons, seed)
                ax.hlines(place + shift, found.low, found.high, color=color, linewidth=2.2, alpha=0.5)
                ax.plot(found.value, place + shift, marker, color=color, markersize=4)
                shown.append((label, title, name, found.value, found.low, found.high, of_neurons.count()))
            ax.plot([], [], marker, color=color, markersize=4, label=title)
        ax.axvline(0, color=QUIET, linewidth=0.8)
        ax.set_yticks(range(len(names)), [fill(name, 20) for name in names])
        ax.set_ylim(len(names) - 0.4, -0.4)
        ax.set_xlabel(label)
        ax.grid(visible=True, axis="x")
        ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=len(series), columnspacing=1, handletextpad=0.2)
    set_heading(figure, "Clusters of real neurons, told from text and in what zeroing the neuron changes")
    figure.data = {
        "": pd.DataFrame(shown, columns=["measure", "by", "grouping", "mean", "low", "high", "neurons"]),
    }
    return figure
