"""How well a unit's behaviors are recovered, by what the dictionary leaves unexplained."""

from collections.abc import Mapping
from typing import Literal

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nbkit.figures.palette import CLUSTER_COLORS, INK, QUIET
from nbkit.figures.style import WIDTH, BookFigure, set_heading, styled
from nbkit.studies.better_basis.findings import RECOVERY_TITLES, stages
from nbkit.studies.better_basis.stages import PRE_MLP, TRUE
from nbkit.studies.shared.learned import FEATURES, JOINT

SPACE_COLORS = {FEATURES: CLUSTER_COLORS[1], JOINT: CLUSTER_COLORS[0]}
SPACE_LINES: Mapping[str, tuple[str, Literal["--", ":"]]] = {PRE_MLP: (INK, "--"), TRUE: (QUIET, ":")}


@styled
def recovered(table: pd.DataFrame) -> Figure:
    """Pair AUC and adjusted Rand index in a dictionary's basis against the variance that it leaves unexplained, means
    over toy units with bootstrap intervals over toys; the pre-MLP vector and the true features as lines.

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
