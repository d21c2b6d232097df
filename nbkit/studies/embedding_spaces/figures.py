"""Table 1 as a figure: distances within and across clusters for each kind of embedding."""

from collections.abc import Mapping
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nbkit.errors import NbkitError
from nbkit.figures.palette import ALONE, INK
from nbkit.figures.style import WIDTH, BookFigure, metric_label, styled
from nbkit.method.embeddings import EMBEDDING_NAMES
from nbkit.studies.shared import paper

DRAWN_METRICS = (
    "intra_cluster",
    "inter_cluster",
    "silhouette",
    "token_agreement",
    "silhouette_matched",
    "token_agreement_matched",
)
"""Metrics of `compare_spaces`, a panel each."""
METRIC_WIDTH = 36
"""Characters in a line under a panel."""
STATISTICS = {"mean": ("o", INK, -0.15), "median": ("D", ALONE, 0.15)}
"""Marker, color, place. No colors of clusters, which the page's other figures show."""
NEEDED = ("kind", "metric", "statistic", "value", "low", "high")


@styled("Table 1 with intervals: one line a kind of embedding, the paper's numbers as hollow markers.")
def table1_intervals(table: pd.DataFrame) -> Figure:
    """Table 1 of the paper as points with intervals.

    The paper's are averages over GPT2-small, its neuron embedding stands on the first line that is one.

    Args:
        table: one row a number, with columns kind (`pre_mlp`, `input`, `gate`, `up`, `gradient`, `shuffled`),
            metric (see `DRAWN_METRICS`, of which those that occur are drawn), statistic (`mean`, `median`), value, and
            low and high, the ends of its interval. Lines stand in the order in which the kinds appear.

    Raises:
        NbkitError: a column is missing, or no metric is known.
    """
    if missing := [column for column in NEEDED if column not in table.columns]:
        raise NbkitError(f"The table lacks the columns {', '.join(missing)}.")
    kinds: list[str] = list(dict.fromkeys(table["kind"]))
    first_own = [kind for kind in kinds if kind not in ("pre_mlp", "shuffled")][:1]
    printed = {"pre_mlp": paper.TABLE_1["pre_mlp"], **dict.fromkeys(first_own, paper.TABLE_1["neuron"])}
    metrics = [metric for metric in DRAWN_METRICS if metric in set(table["metric"])]
    if not metrics:
        raise NbkitError(f"The table has none of the metrics {', '.join(DRAWN_METRICS)}.")
    n_rows = -(-len(metrics) // 2)
    figure = BookFigure(figsize=(WIDTH, 0.5 + n_rows * (0.6 + 0.34 * len(kinds))))
    axes = figure.subplots(n_rows, 2, sharey=True, squeeze=False).flat
    for ax, metric in zip(axes, metrics, strict=False):
        for statistic, (marker, color, shift) in STATISTICS.items():
            rows = table[(table["metric"] == metric) & (table["statistic"] == statistic)]
            places = [kinds.index(kind) + shift for kind in rows["kind"]]
            ax.hlines(places, rows["low"], rows["high"], color=color, linewidth=2.2, alpha=0.5)
            ax.plot(rows["value"], places, marker, color=color)
        for row, kind in enumerate(kinds):
            if metric in printed.get(kind, {}):
                ax.plot(printed[kind][metric], row, "o", markerfacecolor="none", color=INK, markersize=6.5)
        ax.set_yticks(range(len(kinds)), [EMBEDDING_NAMES.get(kind, kind) for kind in kinds])
        ax.set_ylim(len(kinds) - 0.5, -0.5)
        ax.set_xlabel(fill(metric_label(metric), METRIC_WIDTH))
        ax.grid(visible=True)
    if len(metrics) % 2:
        figure.axes[-1].set_axis_off()
    marks = [
        Line2D([], [], marker=marker, color=color, linewidth=2.2, label=statistic)
        for statistic, (marker, color, _) in STATISTICS.items()
    ]
    marks.append(
        Line2D([], [], marker="o", markerfacecolor="none", color=INK, linestyle="", label=f"paper ({paper.MODEL})")
    )
    figure.legend(handles=marks, loc="outside upper center", ncols=3)
    figure.data = {"": _shown(table[table["metric"].isin(metrics)], printed)}
    return figure


def _shown(table: pd.DataFrame, printed: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    places = zip(table["kind"], table["metric"], table["statistic"], strict=True)
    of_paper = [printed.get(k, {}).get(m) if statistic == "mean" else None for k, m, statistic in places]
    return pd.DataFrame(
        {
            "embedding": [EMBEDDING_NAMES.get(kind, kind) for kind in table["kind"]],
            "measure": [metric_label(metric) for metric in table["metric"]],
            "statistic": table["statistic"].to_numpy(),
            "value": table["value"].to_numpy(),
            "95% interval from": table["low"].to_numpy(),
            "95% interval to": table["high"].to_numpy(),
            f"paper ({paper.MODEL})": np.array(of_paper, dtype=np.float64),
        }
    )
