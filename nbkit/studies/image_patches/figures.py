"""What the channels of a convolutional network see: average patches, feature clusters, distances beside controls."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nbkit.atlas.neuron import Neuron
from nbkit.figures.palette import ALONE, CLUSTER_COLORS, INK
from nbkit.figures.pictures import show_gray, show_signed
from nbkit.figures.style import WIDTH, BookFigure, count, set_heading, styled
from nbkit.studies.image_patches.channel_choice import ChannelChoice
from nbkit.studies.image_patches.channel_comparison import CHANNEL_MEASURES, PATCH_CONDITIONS
from nbkit.studies.image_patches.channels import Channels
from nbkit.studies.image_patches.findings import titled

CHANNEL_MARKS = {
    "own": ("o", CLUSTER_COLORS[2]),
    "images": ("v", CLUSTER_COLORS[4]),
    "others": ("D", CLUSTER_COLORS[6]),
    "shuffled": ("s", CLUSTER_COLORS[3]),
    "none": ("^", ALONE),
}
"""Marker and color of a condition; not blue and orange, which lower and raise an activation in the page's maps."""
BOX = CLUSTER_COLORS[2]
"""Around the patch in an image."""
SAME_IMAGES = ("own", "shuffled", "none")
"""The conditions whose agreement with digits can be compared: of the same images."""
CHANNELS_IN_A_ROW = 8
"""Channels in a row."""
HEIGHT = 0.85
"""Of a row of pictures, in inches."""


@styled("What every channel sees at its examples: the average of the image there, and what its weights make of it.")
def all_channels(channels: Channels) -> Figure:
    """What every channel of a convolutional network sees and weighs.

    Orange lifts the channel, blue holds it down; all to a scale of its own. The weights of the second convolution read
    the maps of the first: their products are summed over these maps.

    Args:
        channels: the network's.
    """
    units = [unit for site in channels.atlas.manifest.sites[:-1] for unit in channels.atlas.iterate(site.number)]
    units = [unit for unit in units if len(unit)]
    n_rows = -(-len(units) // CHANNELS_IN_A_ROW)
    figure = BookFigure(figsize=(WIDTH, 2 * HEIGHT * n_rows))
    axes = figure.subplots(2 * n_rows, CHANNELS_IN_A_ROW, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    pictures: dict[str, np.ndarray] = {}
    for place, unit in enumerate(units):
        row, column = 2 * (place // CHANNELS_IN_A_ROW), place % CHANNELS_IN_A_ROW
        average = _seen(channels, unit).mean(axis=0)
        product = channels.in_place(unit.layer, unit.embeddings().mean(axis=0))
        for ax in axes[row : row + 2, column]:
            ax.set_axis_on()
        show_gray(axes[row, column], average)
        show_signed(axes[row + 1, column], product, float(np.abs(product).max()))
        axes[row, column].set_title(f"{unit.site.name} #{unit.index}", size=8)
        pictures |= {f"{unit.name}: average": average, f"{unit.name}: average × weights": product}
    for row, title in enumerate(("average", "× weights") * n_rows):
        axes[row, 0].set_ylabel(title, size=8)
    figure.data = {"": _pixels(pictures)}
    return figure


@styled("The largest feature clusters of a unit: what it sees on average, that times its weights, and single patches.")
def channel_clusters(
    channels: Channels, choice: ChannelChoice, n_clusters: int = 4, n_patches: int = 5, n_images: int = 2
) -> Figure:
    """What the feature clusters of a channel or hidden unit are about.

    On the right whole images with the place of the patch; a hidden unit sees the whole image. All products of a unit
    have one scale: their sum and the bias are its pre-activation.

    Args:
        channels: the network's.
        choice: the unit and its clusters.
        n_clusters: rows.
        n_patches: patches in a row.
        n_images: whole images in a row.
    """
    unit, clusters = choice.unit, choice.clusters
    boxes, images = channels.atlas.boxes(unit.layer), _images(channels)
    seen, embeddings = _seen(channels, unit), unit.embeddings()
    members = [np.flatnonzero(clusters.labels == label) for label in range(min(n_clusters, clusters.n_clusters))]
    products = [channels.in_place(unit.layer, embeddings[some].mean(axis=0)) for some in members]
    reach = max(float(np.abs(product).max()) for product in products)
    wide = 2 + n_patches + (n_images if boxes is not None else 0)
    figure = BookFigure(figsize=(WIDTH, 0.6 + 0.68 * len(members)))
    axes = figure.subplots(len(members), wide, squeeze=False)
    pictures: dict[str, np.ndarray] = {}
    for label, (row, some, product) in enumerate(zip(axes, members, products, strict=True)):
        for ax in row:
            ax.set_axis_off()
        shown = [seen[some].mean(axis=0), *seen[some[:n_patches]]]
        for ax, picture in zip([row[0], *row[2:]], shown, strict=False):
            ax.set_axis_on()
            show_gray(ax, picture)
        row[1].set_axis_on()
        show_signed(row[1], product, reach)
        if boxes is not None:
            for ax, example in zip(row[2 + n_patches :], some, strict=False):
                ax.set_axis_on()
                show_gray(ax, images[unit.context[example]])
                _outline(ax, boxes[unit.position[example]])
        size = count(len(some), "example")
        row[0].set_ylabel(f"{label + 1}: {size}", rotation=0, ha="right", va="center", weight="bold")
        pictures |= {f"cluster {label + 1}: average of {len(some)}": shown[0]}
        pictures |= {f"cluster {label + 1}: average × weights": product}
        pictures |= {
            f"cluster {label + 1}: test image {unit.context[example]}": picture
            for example, picture in zip(some, shown[1:], strict=False)
        }
    titles = {0: "average", 1: "× weights", 2: "first patches" if boxes is not None else "first images"}
    for column, title in (titles | ({2 + n_patches: "in the image"} if boxes is not None else {})).items():
        axes[0, column].set_title(title, size=8, weight="normal")
    n = clusters.n_clusters
    told = f"the {len(members)} largest of {n} clusters" if n > len(members) else count(n, "cluster")
    set_heading(figure, f"{choice.name}: {told} at a cut of {clusters.threshold:g}")
    figure.data = {"": _pixels(pictures)}
    return figure


@styled("Every channel and hidden unit as a mark, its examples beside the controls; a stroke is the median.")
def channels_beside_controls(channels: Channels, table: pd.DataFrame, seed: int = 0) -> Figure:
    """Metrics of channels and hidden units beside those of the controls.

    The agreement with digits is compared on the same images only.

    Args:
        channels: the network's.
        table: of `compare_channels`.
        seed: of the marks' heights, which mean nothing.
    """
    rng = np.random.default_rng(seed)
    sites = channels.atlas.manifest.sites
    figure = BookFigure(figsize=(WIDTH, 4.4))
    panels = {"mean_distance": tuple(PATCH_CONDITIONS), "agreement": SAME_IMAGES}
    for ax, (measure, conditions) in zip(figure.subplots(1, 2, sharey=True), panels.items(), strict=True):
        for row, site in enumerate(sites):
            for place, condition in enumerate(conditions):
                mine = table[(table["layer"] == site.number) & (table["condition"] == condition)][measure].to_numpy()
                middle = row + 0.17 * (place - (len(conditions) - 1) / 2)
                marker, color = CHANNEL_MARKS[condition]
                label = PATCH_CONDITIONS[condition] if row == 0 and measure == "mean_distance" else None
                heights = middle + rng.uniform(-0.04, 0.04, len(mine))
                ax.plot(mine, heights, marker, color=color, markersize=3.2, alpha=0.6, linewidth=0, label=label)
                ax.vlines(np.nanmedian(mine), middle - 0.08, middle + 0.08, color=INK, linewidth=1.8, zorder=3)
        ax.set_xlabel(CHANNEL_MEASURES[measure])
        ax.grid(visible=True, axis="x")
        ax.set_ylim(len(sites) - 0.5, -0.5)
        ax.tick_params(axis="y", length=0)
    figure.axes[0].set_xlim(left=0)
    figure.axes[0].set_yticks(range(len(sites)), [titled(site) for site in sites])
    figure.legend(loc="outside upper center", ncols=3)
    named = table.assign(layer=[titled(sites[number]) for number in table["layer"]])
    named = named.replace({"condition": PATCH_CONDITIONS})[["layer", "index", "condition", *panels]]
    figure.data = {"": named.rename(columns=CHANNEL_MEASURES)}
    return figure


def _images(channels: Channels) -> Float[np.ndarray, "n 28 28"]:
    return np.asarray(channels.inputs[:, 0].numpy())


def _seen(channels: Channels, unit: Neuron) -> Float[np.ndarray, "n h w"]:
    """The part of the image that a unit sees at each of its examples."""
    boxes = channels.atlas.boxes(unit.layer)
    images: Float[np.ndarray, "n 28 28"] = _images(channels)[unit.context]
    if boxes is None:
        return images
    places = zip(images, boxes[unit.position].tolist(), strict=True)
    return np.stack([image[top:bottom, left:right] for image, (top, left, bottom, right) in places])


def _outline(ax: Axes, box: np.ndarray) -> None:
    top, left, bottom, right = box.tolist()
    ax.add_patch(
        Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, edgecolor=BOX, linewidth=1.2)
    )


def _pixels(pictures: dict[str, np.ndarray]) -> pd.DataFrame:
    """Pictures of several sizes as one table, a row for each row of pixels: what it is of, which, and its numbers."""
    return (
        pd.concat(
            [
                pd.DataFrame(
                    values.astype(np.float64).round(4), columns=[f"column {i + 1}" for i in range(values.shape[1])]
                ).assign(picture=name, row=np.arange(len(values)) + 1)
                for name, values in pictures.items()
            ],
            ignore_index=True,
        )
        .set_index(["picture", "row"])
        .reset_index()
    )
