"""Figure 5: one latent or hidden neuron up close, and the images of its feature clusters."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nbkit.errors import NbkitError
from nbkit.figures.palette import INK, QUIET
from nbkit.figures.pictures import NEGATIVE, POSITIVE, show_gray, show_signed
from nbkit.figures.style import WIDTH, BookFigure, count, set_heading, styled
from nbkit.mnist.choice import LatentChoice
from nbkit.mnist.images import SIDE
from nbkit.mnist.pixel_views import average_examples, importance_maps
from nbkit.mnist.view import UNCLUSTERED

SUBHEADING: dict[str, Any] = {"x": 0.01, "ha": "left", "size": 9.5, "weight": "bold"}
"""Of several panels, as the title of a single one: as a title it would widen the first panel's column."""
EXAMPLES_WIDE = 6
"""Examples in a row."""


@styled("Figure 5: activation map, average example, importance map and logit effects of a latent, and some examples.")
def latent_up_close(
    choice: LatentChoice, images: Float[np.ndarray, "n_images 784"], n_examples: int = 12, seed: int = 0
) -> Figure:
    """Figure 5, of a latent or hidden neuron on images.

    Beside the examples, which are drawn at random, the cumulative activation curve: the share of the latent's total
    activation that comes from the strongest share of the inputs that activate it.

    Args:
        choice: the latent.
        images: pixels in [0, 1] that its examples are places in.
        n_examples: how many are shown, at least one.
        seed: of the draw.

    Raises:
        NbkitError: it has no examples.
    """
    places = _examples(choice)
    view, latent = choice.view, choice.latent
    average = average_examples(images, [places])[0]
    shown = np.sort(np.random.default_rng(seed).permutation(places)[:n_examples])
    n_rows = -(-n_examples // EXAMPLES_WIDE)
    heights = (1.9, max(1.6, 0.72 * n_rows))
    figure = BookFigure(figsize=(WIDTH, 0.3 + sum(heights)))
    upper, lower = figure.subfigures(2, 1, height_ratios=heights, squeeze=False)[:, 0]
    maps = upper.subplots(1, 4, width_ratios=(1, 1, 1, 1.25))
    _signed_map(maps[0], view.activation_maps[latent], "activation map")
    _gray(maps[1], average)
    maps[1].set_title("average example")
    importance = importance_maps(view.activation_maps[[latent]], average[None])[0]
    _signed_map(maps[2], importance, "importance map")
    _logit_effects(maps[3], view.logit_effects[latent])

    left, right = lower.subfigures(1, 2, width_ratios=(1, 2.5), squeeze=False)[0]
    _curve(left.subplots(), view.curves[latent])
    left.suptitle("% of its activation", **SUBHEADING)
    grid = list(right.subplots(n_rows, EXAMPLES_WIDE, squeeze=False).flat)
    for ax, place in zip(grid, shown, strict=False):
        _gray(ax, images[place])
    for ax in grid[len(shown) :]:
        ax.set_axis_off()
    drawn = f"{len(shown)} of {len(places)} examples, drawn at random"
    right.suptitle(drawn if len(shown) < len(places) else count(len(places), "example"), **SUBHEADING)
    set_heading(figure, _heading(choice))
    pictures: dict[Hashable, np.ndarray] = {"activation map": view.activation_maps[latent], "average example": average}
    pictures["importance map"] = importance
    effects, curve = view.logit_effects[latent], 100 * view.curves[latent]
    figure.data = {
        "pictures": picture_table("picture", pictures | {f"test image {place}": images[place] for place in shown}),
        "logit effects": pd.DataFrame({"digit": range(len(effects)), "logit effect": effects}),
        "activation curve": pd.DataFrame(
            {"% of its inputs, strongest first": np.linspace(0, 100, len(curve)), "% of its activation": curve}
        ),
    }
    return figure


@styled("The largest feature clusters of a unit: their average, that times the activation map, and their first images.")
def cluster_images(
    choice: LatentChoice, images: Float[np.ndarray, "n_images 784"], n_clusters: int = 5, n_images: int = 6
) -> Figure:
    """What the largest feature clusters of a latent or hidden neuron on images are about.

    All products have one scale: their sum over the pixels is what lifts the unit above its answer to a black image.

    Args:
        choice: the latent or hidden neuron.
        images: pixels in [0, 1] that its examples are places in.
        n_clusters: rows.
        n_images: images in a row.

    Raises:
        NbkitError: it has no examples, or no clusters.
    """
    places, view = _examples(choice), choice.view
    labels = view.clusters[choice.latent]
    if UNCLUSTERED in labels:
        raise NbkitError(f"{choice.name} has no clusters to show: its embeddings have no direction.")
    sizes = np.bincount(labels)[:n_clusters]
    members = [places[labels == cluster] for cluster in range(len(sizes))]
    averages = average_examples(images, members)
    products = importance_maps(view.activation_maps[choice.latent], averages)
    reach = float(np.abs(products).max())
    figure = BookFigure(figsize=(WIDTH, 0.55 + 0.8 * len(sizes)))
    axes = figure.subplots(len(sizes), 2 + n_images, squeeze=False)
    pictures: dict[Hashable, np.ndarray] = {}
    for cluster, row in enumerate(axes):
        _gray(row[0], averages[cluster])
        _signed(row[1], products[cluster], reach)
        for ax, place in zip(row[2:], members[cluster], strict=False):
            _gray(ax, images[place])
        for ax in row[2 + len(members[cluster]) :]:
            ax.set_axis_off()
        size = int(sizes[cluster])
        pictures[f"cluster {cluster + 1}: average of {size}"] = averages[cluster]
        pictures[f"cluster {cluster + 1}: average × activation map"] = products[cluster]
        for place in members[cluster][:n_images]:
            pictures[f"cluster {cluster + 1}: test image {place}"] = images[place]
        row[0].set_ylabel(
            f"{cluster + 1}: {count(size, 'example')}",
            rotation=0,
            ha="right",
            va="center",
            weight="bold",
        )
    for ax, title in zip(axes[0], ("average", "× map", "first images"), strict=False):
        ax.set_title(title)
    n = int(labels.max()) + 1
    told = f"the {len(sizes)} largest of {n} feature clusters" if n > len(sizes) else count(n, "feature cluster")
    set_heading(figure, f"{choice.name}: {told}")
    figure.data = {"": picture_table("picture", pictures)}
    return figure


def picture_table(name: str, pictures: Mapping[Hashable, Float[np.ndarray, " 784"]]) -> pd.DataFrame:
    """Pictures as rows of a table, to four decimals: what each is, in a column `name`, then its pixels row by row."""
    columns = [f"row {row + 1} column {column + 1}" for row in range(SIDE) for column in range(SIDE)]
    table = pd.DataFrame(np.stack(list(pictures.values())).astype(np.float64).round(4), columns=columns)
    table.insert(0, name, list(pictures))
    return table


def _examples(choice: LatentChoice) -> np.ndarray:
    places = choice.view.examples[choice.latent]
    if len(places) == 0:
        raise NbkitError(f"{choice.name} has no examples to show: no test image activates it.")
    return np.asarray(places)


def _heading(choice: LatentChoice) -> str:
    row = choice.metrics
    text = f"{choice.name}: "
    if np.isnan(row["mean_distance"]):
        n = len(choice.view.examples[choice.latent])
        return text + ("one example" if n == 1 else f"{count(n, 'example')}, whose embeddings have no direction")
    clusters = count(int(row["n_clusters"]), "cluster")
    return text + f"{clusters}, mean distance {row['mean_distance']:.2f}, max {row['max_distance']:.2f}"


def _gray(ax: Axes, image: Float[np.ndarray, " 784"]) -> None:
    show_gray(ax, image.reshape(SIDE, SIDE))


def _signed(ax: Axes, values: Float[np.ndarray, " 784"], reach: float) -> None:
    show_signed(ax, values.reshape(SIDE, SIDE), reach)


def _signed_map(ax: Axes, values: Float[np.ndarray, " 784"], title: str) -> None:
    _signed(ax, values, float(np.abs(values).max()))
    ax.set_title(title)
    ax.set_xlabel(f"{values.min():+.2g} to {values.max():+.2g}".replace("-", "−"), color=QUIET)


def _logit_effects(ax: Axes, effects: Float[np.ndarray, " 10"]) -> None:
    ax.bar(range(len(effects)), effects, color=[POSITIVE if effect > 0 else NEGATIVE for effect in effects], width=0.7)
    ax.axhline(0.0, color=INK, linewidth=0.8)
    ax.set_xticks(range(len(effects)))
    ax.set_xlabel("digit")
    ax.set_title("logit effects")
    ax.grid(visible=True, axis="y")


def _curve(ax: Axes, curve: Float[np.ndarray, " k"]) -> None:
    at = np.linspace(0, 100, len(curve))
    ax.plot(at, at, color=QUIET, linewidth=0.8, linestyle=":")
    ax.plot(at, 100 * curve, color=INK)
    ax.set(xlim=(0, 100), ylim=(0, 102), xticks=(0, 50, 100), yticks=(0, 50, 100))
    ax.set_xlabel("% of its inputs, strongest first")
    ax.grid(visible=True)
