"""Neurons and latents beside each other, with what random examples and another unit's weights give."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nbkit.atlas.atlas import Atlas
from nbkit.figures.palette import CLUSTER_COLORS, INK, QUIET
from nbkit.figures.style import WIDTH, BookFigure, set_heading, styled
from nbkit.studies.latents_and_neurons.comparison import sites_beside
from nbkit.studies.latents_and_neurons.findings import CONDITION_TITLES, MEASURE_TITLES

CONDITION_MARKS = {"own": ("o", CLUSTER_COLORS[0]), "random": ("s", QUIET), "shuffled": ("D", INK)}
"""Marker and color of a condition."""
QUARTILE_SHARES = (0.25, 0.5, 0.75)


@styled("How alike the examples of neurons and latents are: median and middle half of the units, by condition.")
def units_beside_each_other(atlas: Atlas, table: pd.DataFrame) -> Figure:
    """Distances of the examples of neurons and of latents.

    Args:
        atlas: that `table` was made of.
        table: what `compare_units` returns.
    """
    sites = sites_beside(atlas)
    figure = BookFigure(figsize=(WIDTH, 1.3 + 0.55 * len(sites)))
    shown = []
    for ax, (measure, title) in zip(
        figure.subplots(1, len(MEASURE_TITLES), sharey=True), MEASURE_TITLES.items(), strict=True
    ):
        for row, site in enumerate(sites):
            for place, (condition, (marker, color)) in enumerate(CONDITION_MARKS.items()):
                values = table[(table["layer"] == site.number) & (table["condition"] == condition)][measure]
                if measure == "one_word" and condition == "shuffled":
                    continue  # the same examples have the same words
                low, middle, high = values.quantile(QUARTILE_SHARES).tolist()
                at = row + 0.22 * (place - 1)
                ax.hlines(at, low, high, color=color, linewidth=2.2, alpha=0.5)
                ax.plot(middle, at, marker, color=color)
                shown.append((site.title, title, CONDITION_TITLES[condition], low, middle, high, len(values)))
        ax.set_xlabel(title)
        ax.set_ylim(len(sites) - 0.5, -0.5)
        ax.set_xlim(left=0)
        ax.grid(visible=True, axis="x")
    figure.axes[0].set_yticks(
        np.arange(len(sites)), [f"neurons of layer {s.number}" if s.unit == "neuron" else s.name for s in sites]
    )
    marks = [
        Line2D([], [], marker=marker, color=color, linewidth=2.2, label=CONDITION_TITLES[condition])
        for condition, (marker, color) in CONDITION_MARKS.items()
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=3)
    set_heading(figure, "A unit's examples: median and middle half of the units")
    columns = ["units", "measure", "condition", "lower quartile", "median", "upper quartile", "n"]
    figure.data = {"": pd.DataFrame(shown, columns=columns)}
    return figure
