"""The leaderboard as a figure: every contestant's lead over the pre-MLP vector, beside its own control's."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nbkit.figures.palette import CLUSTER_COLORS, QUIET
from nbkit.figures.style import WIDTH, BookFigure, set_heading, styled
from nbkit.method.truth.contestants import BASELINE
from nbkit.studies.ground_truth.findings import TASKS, by_place, difference, tasks_of

OWN, CONTROL = CLUSTER_COLORS[0], QUIET
COLUMNS = 3


@styled
def leads(board: pd.DataFrame) -> Figure:
    """Pair AUC over the pre-MLP vector's, by task and contestant, with intervals over groups; and that of the
    same space with another unit's weights.

    Args:
        board: of `standing`.
    """
    rows, tasks = by_place(board, "auc"), tasks_of(board)
    names = [name for name in dict.fromkeys(name for _, name in rows) if name != BASELINE]
    n_rows = -(-len(tasks) // COLUMNS)
    figure = BookFigure(figsize=(WIDTH, n_rows * (0.6 + 0.17 * len(names))))
    axes = figure.subplots(n_rows, COLUMNS, sharey=True, squeeze=False)
    shown = []
    for ax, task in zip(axes.flat, tasks, strict=False):
        for place, name in enumerate(names):
            if (task, name) not in rows:
                continue
            lead, over_control = (difference(rows[task, name], what) for what in ("over_baseline", "over_control"))
            ax.hlines(place, lead.low, lead.high, color=OWN, linewidth=2.2, alpha=0.5)
            ax.plot(lead.value - over_control.value, place, "D", color=CONTROL, markersize=3.5)
            ax.plot(lead.value, place, "o", color=OWN, markersize=4.5)
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
        Line2D([], [], marker="o", color=OWN, linewidth=2.2, label="the unit's own weights"),
        Line2D([], [], marker="D", color=CONTROL, linewidth=0, label="another unit's weights"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=2)
    set_heading(figure, "Pair AUC over that of the pre-MLP vector")
    columns = ["task", "contestant", "lead", "low", "high", "over its control"]
    figure.data = {"": pd.DataFrame(shown, columns=columns)}
    return figure
