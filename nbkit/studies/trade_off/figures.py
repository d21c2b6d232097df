"""What the neuron-embedding loss buys: curves over L0, and differences at equal L0 and at equal MSE."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from nbkit.errors import NbkitError
from nbkit.figures.palette import ALONE, CLUSTER_COLORS, INK, WHITE
from nbkit.figures.style import WIDTH, BookFigure, styled
from nbkit.method.intervals import mean_interval
from nbkit.sae.sweep_columns import ACTIVATION_TITLES, SWEEP_MEASURES, loss_name
from nbkit.studies.trade_off.matching import MATCHED_BY, Matched

CURVES = ("mean_distance", "same_digit", "monosemanticity")
DIFFERENCES = ("mean_distance", "relative_distance", "same_digit", "purity", "monosemanticity", "silhouette")
LOW, HIGH = "95% interval from", "95% interval to"
ESTIMATE = ("mean over seeds", LOW, HIGH)
TRADE_OFF_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""For the standard autoencoders, then for each lambda 2."""
TRADE_OFF_LINES = ("--", ":", "-.")
MATCHED_LOOKS = {"l0": ("o", INK, -0.14), "mse": ("D", ALONE, 0.14)}
"""Mark, color, and shift between the lines."""


@styled("Figures of autoencoders over another: a row of panels per metric, one per activation, a line per lambda 2.")
def trade_off_curves(table: pd.DataFrame, x: str = "l0", metrics: Sequence[str] = CURVES) -> Figure:
    """What autoencoders gain on one metric by what they lose on another.

    Each mark is the mean over seeds, with its 95% interval where there are several.

    Args:
        table: of `nbkit.studies.trade_off.experiment.sweep`.
        x: a column, drawn on a logarithmic scale.
        metrics: the columns to draw.

    Raises:
        NbkitError: a column is missing.
    """
    if missing := [name for name in (x, *metrics) if name not in table.columns or name not in SWEEP_MEASURES]:
        raise NbkitError(f"The table lacks the columns {', '.join(missing)}, or they are not measures of a sweep.")
    activations = list(dict.fromkeys(table["activation"]))
    levels = sorted(table["ne"].unique())
    figure = BookFigure(figsize=(WIDTH, 0.7 + 1.75 * len(metrics)))
    axes = figure.subplots(len(metrics), len(activations), squeeze=False, sharex="col", sharey="row")
    shown: list[pd.DataFrame] = []
    for row, metric in zip(axes, metrics, strict=True):
        for ax, activation, color in zip(row, activations, CLUSTER_COLORS, strict=False):
            for place, ne in enumerate(levels):
                mine = table[(table["activation"] == activation) & (table["ne"] == ne)]
                points = _line(ax, mine, x, metric, _look(place, color))
                about = {"autoencoder": ACTIVATION_TITLES[str(activation)], "loss": loss_name(ne)}
                shown.append(points.assign(**about, measure=SWEEP_MEASURES[metric].title))
            ax.set_xscale("log")
            ax.grid(visible=True)
        row[0].set_ylabel(SWEEP_MEASURES[metric].title)
    for ax, activation in zip(axes[0], activations, strict=True):
        ax.set_title(ACTIVATION_TITLES[str(activation)])
    for ax in axes[-1]:
        ax.set_xlabel(SWEEP_MEASURES[x].title)
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.xaxis.set_minor_formatter(lambda *_: "")
    handles = [Line2D([], [], **_look(place, INK), label=loss_name(ne)) for place, ne in enumerate(levels)]  # type: ignore[arg-type]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(levels))
    lines = pd.concat(shown, ignore_index=True)
    figure.data = {"": lines[["autoencoder", "loss", SWEEP_MEASURES[x].title, "measure", *ESTIMATE]]}
    return figure


@styled("With the loss minus without, at equal L0 and at equal MSE, with 95% intervals: a panel per metric.")
def matched_intervals(differences: Mapping[str, Matched], metrics: Sequence[str] = DIFFERENCES) -> Figure:
    """What the loss changes at equal L0 and at equal MSE.

    Args:
        differences: of `nbkit.studies.trade_off.findings.compared`.
        metrics: what is shown.

    Raises:
        NbkitError: a metric is not there.
    """
    activations = list(next(iter(differences.values())))
    if missing := [m for m in metrics if any(m not in mine for of in differences.values() for mine in of.values())]:
        raise NbkitError(f"There are no differences of {', '.join(missing)}.")
    n_rows = -(-len(metrics) // 2)
    figure = BookFigure(figsize=(WIDTH, 0.5 + n_rows * (0.8 + 0.3 * len(activations))))
    axes = list(figure.subplots(n_rows, 2, sharey=True, squeeze=False).flat)
    shown: list[dict[str, object]] = []
    for ax, metric in zip(axes, metrics, strict=False):
        ax.axvline(0, color=INK, linewidth=0.8)
        for by, matched in differences.items():
            marker, color, shift = MATCHED_LOOKS[by]
            places = np.arange(len(activations)) + shift
            estimates = [matched[activation][metric].difference for activation in activations]
            about = {"measure": SWEEP_MEASURES[metric].title, "at equal": MATCHED_BY[by]}
            shown += [
                {**about, "autoencoder": ACTIVATION_TITLES[activation], "difference": e.value, LOW: e.low, HIGH: e.high}
                for activation, e in zip(activations, estimates, strict=True)
            ]
            ax.hlines(places, [e.low for e in estimates], [e.high for e in estimates], color=color, lw=2.2, alpha=0.5)
            ax.plot([e.value for e in estimates], places, marker, color=color)
        ax.set_yticks(range(len(activations)), [ACTIVATION_TITLES[activation] for activation in activations])
        ax.set_ylim(len(activations) - 0.5, -0.5)
        ax.set_title(SWEEP_MEASURES[metric].title)
        better = {1: " (higher is better)", -1: " (lower is better)", 0: ""}[SWEEP_MEASURES[metric].better]
        ax.set_xlabel(f"difference{better}")
        ax.margins(x=0.15)
        ax.grid(visible=True, axis="x")
    for ax in axes[len(metrics) :]:
        ax.set_axis_off()
    looks = {MATCHED_BY[by]: MATCHED_LOOKS[by] for by in differences}
    handles = [
        Line2D([], [], marker=marker, color=color, linewidth=2.2, label=f"at equal {name}")
        for name, (marker, color, _) in looks.items()
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    figure.data = {"": pd.DataFrame(shown)}
    return figure


def _line(ax: Axes, mine: pd.DataFrame, x: str, metric: str, look: Mapping[str, object]) -> pd.DataFrame:
    """Draw the mean over seeds of each point of the grid, in order of x; returns these points."""
    points = []
    for _, group in mine.groupby("sparsity"):
        value, low, high = mean_interval(group[metric].to_numpy())
        points.append((float(group[x].mean()), value, value - low, high - value))
    columns = [SWEEP_MEASURES[x].title, *ESTIMATE]
    if not points:
        return pd.DataFrame(columns=columns)
    xs, values, below, above = np.array(sorted(points)).T
    ax.errorbar(xs, values, yerr=np.nan_to_num([below, above]), elinewidth=1.6, **look)  # type: ignore[arg-type]
    return pd.DataFrame(zip(xs, values, values - below, values + above, strict=True), columns=columns)


def _look(place: int, color: str) -> dict[str, object]:
    """The standard autoencoders are hollow, those with the loss differ by mark and line; a color is an activation's, as
    in the explorer."""
    look: dict[str, object] = {"marker": TRADE_OFF_MARKERS[place % len(TRADE_OFF_MARKERS)], "color": color}
    if place == 0:
        return {**look, "markerfacecolor": WHITE}
    return {**look, "linestyle": TRADE_OFF_LINES[(place - 1) % len(TRADE_OFF_LINES)]}
