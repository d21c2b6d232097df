"""All hidden neurons: what each looks for, and how far apart its images are, beside other images and other weights."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from nbkit.errors import NbkitError
from nbkit.figures.latent import picture_table
from nbkit.figures.palette import ALONE, CLUSTER_COLORS, INK
from nbkit.figures.pictures import SIGNED
from nbkit.figures.style import WIDTH, BookFigure, styled
from nbkit.mnist.images import SIDE
from nbkit.mnist.view import LatentView
from nbkit.studies.hidden_layer.spaces import IMAGE_KINDS, SPACE_TITLES, WEIGHT_KINDS

PANEL_METRICS = ("mean_distance", "n_clusters", "agreement", "purity")
WEIGHTS_MARKS = {"own": ("o", CLUSTER_COLORS[2]), "shuffled": ("s", CLUSTER_COLORS[3]), "none": ("^", ALONE)}
"""Not blue and orange, which lower and raise an activation in the page's maps."""
COLUMN_TITLES = {
    "neuron": "neuron",
    "images": "images",
    "weights": "weights",
    **{metric: SPACE_TITLES[metric] for metric in PANEL_METRICS},
}
"""Of the data."""
TILE = SIDE + 2
SPREAD = 0.16
"""The height over which the neurons of a row are spread."""


@styled("The activation maps of all units of a view, each to its own scale, row by row in the order of their numbers.")
def hidden_maps(view: LatentView, columns: int = 16) -> Figure:
    """The activation maps of a hidden layer.

    Args:
        view: of the hidden layer.
        columns: maps in a row.
    """
    n_rows = -(-len(view.activation_maps) // columns)
    tiles = np.full((n_rows * TILE, columns * TILE), np.nan)
    for unit, values in enumerate(view.activation_maps):
        top, left = TILE * (unit // columns), TILE * (unit % columns)
        tiles[top : top + SIDE, left : left + SIDE] = values.reshape(SIDE, SIDE) / (np.abs(values).max() or 1.0)
    figure = BookFigure(figsize=(WIDTH, 0.45 * n_rows + 0.1))
    ax = figure.subplots()
    ax.imshow(tiles, cmap=SIGNED, vmin=-1, vmax=1)
    ax.set_yticks(TILE * np.arange(n_rows) + SIDE / 2, [str(columns * row) for row in range(n_rows)])
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    figure.data = {"": picture_table("neuron", dict(enumerate(view.activation_maps)))}
    return figure


@styled("Every hidden neuron as a mark, its images with its own weights and with others: a panel per metric.")
def hidden_distributions(table: pd.DataFrame, seed: int = 0) -> Figure:
    """Metrics of hidden neurons by kind of images and of weights.

    A black line is the median over the neurons. The share of the commonest digit knows no weights and has one row for
    each kind of images.

    Args:
        table: of `nbkit.studies.hidden_layer.spaces.compare_hidden_spaces`.
        seed: of the marks' heights, which mean nothing.

    Raises:
        NbkitError: a column is missing.
    """
    if missing := [name for name in ("images", "weights", *PANEL_METRICS) if name not in table.columns]:
        raise NbkitError(f"The table lacks the columns {', '.join(missing)}.")
    rng = np.random.default_rng(seed)
    figure = BookFigure(figsize=(WIDTH, 5.2))
    for ax, metric in zip(figure.subplots(2, 2, sharey=True).flat, PANEL_METRICS, strict=True):
        for row, images in enumerate(IMAGE_KINDS):
            kinds = list(WEIGHT_KINDS) if metric != "purity" else ["own"]
            for place, weights in enumerate(kinds):
                mine = table[(table["images"] == images) & (table["weights"] == weights)][metric].to_numpy()
                middle = row + 0.3 * (place - (len(kinds) - 1) / 2)
                marker, color = WEIGHTS_MARKS[weights]
                heights = middle + rng.uniform(-SPREAD / 2, SPREAD / 2, len(mine))
                label = WEIGHT_KINDS[weights] if row == 0 and metric == "mean_distance" else None
                ax.plot(mine, heights, marker, color=color, markersize=2.6, alpha=0.55, linewidth=0, label=label)
                ax.vlines(np.median(mine), middle - 0.13, middle + 0.13, color=INK, linewidth=1.8, zorder=3)
        ax.set_yticks(range(len(IMAGE_KINDS)), IMAGE_KINDS.values())
        ax.set_ylim(len(IMAGE_KINDS) - 0.5, -0.5)
        ax.set_xlim(left=0)
        ax.set_xlabel(SPACE_TITLES[metric])
        ax.tick_params(axis="y", length=0)
        ax.grid(visible=True, axis="x")
    figure.legend(loc="outside upper center", ncols=len(WEIGHT_KINDS))
    named = table.replace({"images": IMAGE_KINDS, "weights": WEIGHT_KINDS})
    figure.data = {"": named[list(COLUMN_TITLES)].rename(columns=COLUMN_TITLES)}
    return figure
