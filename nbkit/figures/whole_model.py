"""Polysemanticity over all neurons: by layer, its distributions, and how often one behavior hides another."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from nbkit.errors import NbkitError
from nbkit.figures.palette import CLUSTER_COLORS, INK, QUIET
from nbkit.figures.style import WIDTH, BookFigure, metric_label, set_heading, styled

BLUE, ORANGE = CLUSTER_COLORS[:2]
COMMON_SHARE = 0.9
"""A cluster with this share of the examples is the common behavior of a neuron."""
SHARE = "share of a neuron's examples in its largest cluster"
QUARTILES = ("lower quartile", "median", "upper quartile")


@styled("How much of a neuron its largest cluster explains, over all neurons: the cumulative distribution.")
def largest_share_distribution(neurons: pd.DataFrame, min_examples: int = 20) -> Figure:
    """The share of each neuron's largest cluster, as a cumulative distribution.

    The shaded stretch, from 90% up to but not including all, holds the neurons whose common behavior hides a rare
    one (Figure 3).

    Args:
        neurons: with columns n_examples and largest_share.
        min_examples: neurons with fewer are left out; with fewer than 11, no share lies in the shaded stretch.

    Raises:
        NbkitError: no neuron has enough examples.
    """
    shares = _enough(neurons, min_examples)["largest_share"].to_numpy()
    figure = BookFigure(figsize=(WIDTH, 3.2))
    ax = figure.subplots()
    ax.axvspan(COMMON_SHARE, 1.0, color=ORANGE, alpha=0.15, linewidth=0)
    ax.ecdf(shares, color=INK, linewidth=1.6)
    hidden, single = np.mean((shares >= COMMON_SHARE) & (shares < 1.0)), np.mean(shares == 1.0)
    single_text, hidden_text = (
        f"{single:.1%} have one cluster only",
        f"{hidden:.1%} have a common behavior and rare others",
    )
    ax.text(0, 1.03, single_text, color=QUIET, transform=ax.transAxes)
    ax.text(1, 1.03, hidden_text, color=ORANGE, transform=ax.transAxes, ha="right")
    ax.set(xlim=(0, 1.005), ylim=(0, 1.005))
    ax.set_xlabel(SHARE)
    ax.set_ylabel("neurons with at most this share")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.grid(visible=True)
    set_heading(
        figure, f"What the largest cluster explains ({len(shares):,} neurons with at least {min_examples} examples)"
    )
    reached, n = np.unique(shares, return_counts=True)
    figure.data = {"": pd.DataFrame({SHARE: reached, "share of neurons with at most this share": n.cumsum() / n.sum()})}
    return figure


@styled("Mean distance, number of clusters and share of the largest by layer: median and middle half of the neurons.")
def polysemanticity_by_layer(neurons: pd.DataFrame, min_examples: int = 20) -> Figure:
    """Metrics of the neurons over the layers of a model.

    Args:
        neurons: with columns layer, n_examples and the metrics.
        min_examples: neurons with fewer are left out.

    Raises:
        NbkitError: no neuron has enough examples.
    """
    kept = _enough(neurons, min_examples)
    figure = BookFigure(figsize=(WIDTH, 2.9))
    columns = ("mean_distance", "n_clusters", "largest_share")
    shown = {"layer": sorted(kept["layer"].unique())}
    for ax, column in zip(figure.subplots(1, len(columns)), columns, strict=True):
        low, median, high = (kept.groupby("layer")[column].quantile(q) for q in (0.25, 0.5, 0.75))
        shown |= {
            f"{metric_label(column)}, {name}": list(values)
            for name, values in zip(QUARTILES, (low, median, high), strict=True)
        }
        ax.fill_between(median.index, low, high, color=BLUE, alpha=0.2, linewidth=0, label="middle half")
        ax.plot(median.index, median, color=BLUE, marker="o", label="median")
        ax.set_xlabel("layer")
        ax.set_ylabel(metric_label(column))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        _scale(ax, column)
        ax.set_ylim(bottom=0)
        ax.grid(visible=True, axis="y")
    figure.axes[0].legend(loc="lower left")
    set_heading(figure, f"Polysemanticity by layer ({len(kept):,} neurons with at least {min_examples} examples)")
    figure.data = {"": pd.DataFrame(shown)}
    return figure


@styled("The distribution of each metric over all neurons, with its median.")
def metric_distributions(neurons: pd.DataFrame, min_examples: int = 20) -> Figure:
    """Histograms of the neurons' metrics.

    Args:
        neurons: with column n_examples and the metrics.
        min_examples: neurons with fewer are left out.

    Raises:
        NbkitError: no neuron has enough examples.
    """
    kept = _enough(neurons, min_examples)
    figure = BookFigure(figsize=(WIDTH, 4.2))
    columns = ("mean_distance", "intra_cluster", "inter_cluster", "n_clusters", "largest_share", "silhouette")
    bars: list[pd.DataFrame] = []
    for ax, column in zip(figure.subplots(2, 3, sharey=True).flat, columns, strict=True):
        values = kept[column].dropna().to_numpy(dtype=np.float64)
        weights = np.full(len(values), 1 / max(len(kept), 1))
        if column == "n_clusters":
            bins = np.arange(0.5, values.max() + 1.5)
        else:
            bins = np.linspace(min(0.0, values.min(initial=0.0)), max(1.0, values.max(initial=1.0)), 41)
        heights, edges, _ = ax.hist(values, bins, weights=weights, color=BLUE, alpha=0.35)
        bar = {"metric": metric_label(column), "from": edges[:-1], "to": edges[1:], "share of neurons": heights}
        bars.append(pd.DataFrame(bar))
        if len(values):
            median = np.median(values)
            ax.axvline(median, color=BLUE, linewidth=1.4)
            ax.set_title(
                f"median {median:.0f}" if column == "n_clusters" else f"median {median:.2f}", size=8.5, color=BLUE
            )
        ax.set_xlabel(metric_label(column))
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    for ax in figure.axes[::3]:
        ax.set_ylabel("share of neurons")
    set_heading(figure, f"How the metrics are spread ({len(kept):,} neurons with at least {min_examples} examples)")
    figure.data = {"": pd.concat(bars, ignore_index=True)}
    return figure


def _enough(neurons: pd.DataFrame, min_examples: int) -> pd.DataFrame:
    # those without a direction have no metrics
    kept = neurons[(neurons["n_examples"] >= max(min_examples, 2)) & neurons["largest_share"].notna()]
    if kept.empty:
        raise NbkitError(f"No neuron has {min_examples} examples or more: scan more text or lower min_examples.")
    return kept


def _scale(ax: Axes, column: str) -> None:
    if column == "largest_share":
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
