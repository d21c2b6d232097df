"""How well units' behaviors are recovered, by what the dictionary leaves unexplained: on toys, and in layers."""

from collections.abc import Iterator, Mapping
from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nbkit.figures.palette import CLUSTER_COLORS, INK, QUIET
from nbkit.figures.style import WIDTH, BookFigure, set_heading, styled
from nbkit.studies.better_basis.findings import RECOVERY_TITLES, stages, values_of
from nbkit.studies.better_basis.layer_dictionaries import VECTORS
from nbkit.studies.better_basis.layer_findings import TRAINING_COLUMNS, in_layers
from nbkit.studies.better_basis.stages import PRE_MLP, TRUE
from nbkit.studies.shared.learned import FEATURES, JOINT
from nbkit.studies.shared.planted.layers import PLANTED_TASKS

SPACE_COLORS = {FEATURES: CLUSTER_COLORS[1], JOINT: CLUSTER_COLORS[0]}
SPACE_LINES: Mapping[str, tuple[str, Literal["--", ":"]]] = {PRE_MLP: (INK, "--"), TRUE: (QUIET, ":")}
VECTOR_LINES = dict(zip(VECTORS, SPACE_LINES.values(), strict=True))


@styled(
    "Pair AUC and adjusted Rand index in a dictionary's basis against the variance that it leaves unexplained, "
    "means over toy units with bootstrap intervals over toys; the pre-MLP vector and the true features as lines."
)
def recovered(table: pd.DataFrame) -> Figure:
    """How well the bases of a toy's dictionaries recover the behaviors of its units.

    Args:
        table: of `quality`.
    """
    figure = BookFigure(figsize=(WIDTH, 3.4))
    widths = sorted(set(table["latents"]) - {0}, reverse=True)
    shown = []
    for ax, (measure, title) in zip(
        figure.subplots(1, len(RECOVERY_TITLES), sharex=True), RECOVERY_TITLES.items(), strict=True
    ):
        for space, (color, style) in SPACE_LINES.items():
            level = table[(table["space"] == space) & (table["condition"] == "own")][measure].mean()
            ax.axhline(level, color=color, linestyle=style, linewidth=1.2)
            shown.append((title, space, 0, 0, float("nan"), level, float("nan"), float("nan")))
        for space, color in SPACE_COLORS.items():
            for latents in widths:
                made = stages(table, space, measure, latents)
                x, values = [stage.unexplained for stage in made], [stage.value for stage in made]
                wide = latents == widths[0]
                ax.plot(
                    x,
                    [each.value for each in values],
                    color=color,
                    marker="o",
                    markersize=4,
                    markerfacecolor=color if wide else "none",
                    linewidth=1.4 if wide else 0.8,
                )
                ax.vlines(x, [v.low for v in values], [v.high for v in values], color=color, linewidth=2.2, alpha=0.35)
                shown += [
                    (title, space, latents, stage.epochs, stage.unexplained, v.value, v.low, v.high)
                    for stage, v in zip(made, values, strict=True)
                ]
        ax.set_xlabel("unexplained variance (%)")
        ax.set_title(title)
        ax.grid(visible=True)
    figure.axes[0].invert_xaxis()
    marks = [Line2D([], [], color=color, marker="o", label=space) for space, color in SPACE_COLORS.items()]
    if len(widths) > 1:
        label = f"with {widths[-1]} latents"
        marks.append(Line2D([], [], color=QUIET, marker="o", markerfacecolor="none", linewidth=0.8, label=label))
    marks += [Line2D([], [], color=color, linestyle=style, label=name) for name, (color, style) in SPACE_LINES.items()]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))
    set_heading(figure, "Behaviors recovered, by what the dictionary leaves unexplained")
    columns = ["measure", "space", "latents", "passes", "unexplained (%)", "mean", "low", "high"]
    figure.data = {"": pd.DataFrame(shown, columns=columns)}
    return figure


@styled(
    "Pair AUC (above) and adjusted Rand index (below) on each task in the bases of layers' dictionaries, against "
    "the variance that they leave unexplained: means over planted units with intervals over layers, and with "
    "another unit's weights; both vectors as lines."
)
def recovered_in_layers(table: pd.DataFrame) -> Figure:
    """How well the bases of layers' dictionaries recover the behaviors of planted units.

    Args:
        table: of `layer_quality`.
    """
    figure = BookFigure(figsize=(WIDTH, 5.2))
    tasks = [task for task in PLANTED_TASKS if (table["task"] == task).any()]
    grid = figure.subplots(len(RECOVERY_TITLES), len(tasks), sharex=True, sharey="row", squeeze=False)
    shown = [
        (PLANTED_TASKS[task], title, *row)
        for axes, (measure, title) in zip(grid, RECOVERY_TITLES.items(), strict=True)
        for ax, task in zip(axes, tasks, strict=True)
        for row in _on_task(ax, table[table["task"] == task], measure)
    ]
    for ax, task in zip(grid[0], tasks, strict=True):
        ax.set_title(PLANTED_TASKS[task])
    for ax in grid[-1]:
        ax.set_xlabel("unexplained variance (%)")
    for ax, title in zip(grid[:, 0], RECOVERY_TITLES.values(), strict=True):
        ax.set_ylabel(title)
    grid[0, 0].invert_xaxis()
    marks = [Line2D([], [], color=color, marker="o", label=space) for space, color in SPACE_COLORS.items()]
    marks.append(Line2D([], [], color=QUIET, marker="x", linestyle="none", label="another unit's weights"))
    marks += [Line2D([], [], color=color, linestyle=line, label=name) for name, (color, line) in VECTOR_LINES.items()]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))
    set_heading(figure, "Planted units' behaviors recovered, by what the layer's dictionary leaves unexplained")
    columns = [
        "task",
        "measure",
        "space",
        *TRAINING_COLUMNS,
        "unexplained (%)",
        "mean",
        "low",
        "high",
        "another unit's",
    ]
    figure.data = {"": pd.DataFrame(shown, columns=columns)}
    return figure


def _on_task(ax: Axes, table: pd.DataFrame, measure: str) -> Iterator[tuple[object, ...]]:
    """Draws a panel, and gives its rows of the figure's data."""
    nothing = float("nan")
    for space, (color, style) in VECTOR_LINES.items():
        level = float(values_of(table, space, measure).mean())
        ax.axhline(level, color=color, linestyle=style, linewidth=1.2)
        yield (space, *[nothing] * (len(TRAINING_COLUMNS) + 1), level, *[nothing] * 3)
    for space, color in SPACE_COLORS.items():
        made = in_layers(table, space, measure)
        x, values = [each.unexplained for each in made], [each.value for each in made]
        others = [each.value.value - each.over_control.value for each in made]
        ax.plot(x, [each.value for each in values], color=color, marker="o", markersize=4, linestyle="none")
        ax.vlines(x, [v.low for v in values], [v.high for v in values], color=color, linewidth=2.2, alpha=0.35)
        ax.plot(x, others, color=color, marker="x", markersize=4, linestyle="none")
        for each, value, other in zip(made, values, others, strict=True):
            given = vars(each.training).values()
            yield space, *given, each.unexplained, value.value, value.low, value.high, other
    ax.grid(visible=True)
