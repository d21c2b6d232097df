"""What Table 1 supports, and its tables (neuron embeddings against pre-MLP vectors, and against the control)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.method.embeddings import EMBEDDING_NAMES
from nbkit.method.metrics import METRIC_TITLES
from nbkit.studies.shared.estimate import Difference, Estimate
from nbkit.studies.shared.populations import ENOUGH_EXAMPLES, has_examples, metric_name, named
from nbkit.studies.shared.quantity import Quantity
from nbkit.studies.shared.space_comparison import COMPARED_METRICS, compare_spaces, paired_differences, value_of
from nbkit.studies.shared.table import BookTable, Range


@dataclass(frozen=True)
class Distances:
    """Mean cosine distances in a space, averaged over the neurons."""

    within: Quantity[float]
    """Between examples in the same cluster."""
    between: Quantity[float]
    """Between examples in different clusters."""

    @classmethod
    def of(cls, table: pd.DataFrame, kind: str, at_least: int) -> Distances:
        """Those of one space in the table of `compare_spaces` over the neurons with at least so many examples."""
        within, between = (
            Quantity(metric_name(kind, metric, "mean", at_least), value_of(table, kind, metric))
            for metric in ("intra_cluster", "inter_cluster")
        )
        return cls(within, between)


@dataclass(frozen=True)
class Moves:
    """How far mean distances move from one space to another."""

    within: float
    between: float

    @classmethod
    def of(cls, before: Distances, after: Distances) -> Moves:
        """From one space to the other."""
        return cls(after.within.value - before.within.value, after.between.value - before.between.value)


@dataclass(frozen=True)
class Separation:
    """How neuron embeddings part a neuron's examples, beside pre-MLP vectors and the shuffled-weight control.

    The differences are means over the neurons, neuron by neuron, at an equal number of clusters.
    """

    n_neurons: int
    """Neurons with enough examples; a metric that is not defined for one of them leaves it out."""
    at_least: int
    """Examples that are enough."""
    pre_mlp: Distances
    own: Distances
    control: Distances
    silhouette_over_pre_mlp: Quantity[Difference]
    """Silhouette of the neuron embedding minus that of the pre-MLP vector."""
    silhouette_over_control: Quantity[Difference]
    agreement_over_pre_mlp: Quantity[Difference]
    """Agreement with key tokens, of the neuron embedding minus of the pre-MLP vector."""
    agreement_over_control: Quantity[Difference]

    @property
    def moved(self) -> Moves:
        """From pre-MLP vectors to neuron embeddings."""
        return Moves.of(self.pre_mlp, self.own)

    @property
    def control_moved(self) -> Moves:
        """From pre-MLP vectors to the control."""
        return Moves.of(self.pre_mlp, self.control)


def separation(atlas: Atlas, min_examples: int = ENOUGH_EXAMPLES, seed: int = 0) -> Separation:
    """What Table 1 supports, over the neurons with at least `min_examples` examples; the seed is of the bootstrap.

    Raises:
        NbkitError: if no neuron has that many examples.
    """
    own = atlas.manifest.embedding
    table = compare_spaces(atlas, min_examples=min_examples, seed=seed)
    distances = {kind: Distances.of(table, kind, min_examples) for kind in ("pre_mlp", own, "shuffled")}
    over_pre_mlp, over_control = (
        paired_differences(atlas, own, other, min_examples, seed) for other in ("pre_mlp", "shuffled")
    )

    def difference(table: pd.DataFrame, metric: str, other: str) -> Quantity[Difference]:
        return Quantity(
            named(f"{metric}: neuron embedding minus {other}", min_examples), Difference.of_means(table, metric)
        )

    return Separation(
        n_neurons=int(has_examples(atlas, min_examples).sum()),
        at_least=min_examples,
        pre_mlp=distances["pre_mlp"],
        own=distances[own],
        control=distances["shuffled"],
        silhouette_over_pre_mlp=difference(over_pre_mlp, "silhouette_matched", "pre_mlp"),
        silhouette_over_control=difference(over_control, "silhouette_matched", "shuffled"),
        agreement_over_pre_mlp=difference(over_pre_mlp, "token_agreement_matched", "pre_mlp"),
        agreement_over_control=difference(over_control, "token_agreement_matched", "shuffled"),
    )


def table1(table: pd.DataFrame, statistic: str, at_least: int = ENOUGH_EXAMPLES) -> BookTable:
    """A statistic of `compare_spaces` for the eye: a row per metric, a column per kind.

    The last column has the neurons for which the metric is defined: from the space with the fewest to that with the
    most, since a silhouette, say, needs two clusters.
    """
    chosen = table[table["statistic"] == statistic]
    cells = {
        EMBEDDING_NAMES[str(kind)]: {
            row["metric"]: Quantity(
                metric_name(str(kind), row["metric"], statistic, at_least),
                Estimate(row["value"], row["low"], row["high"]),
            )
            for row in rows.to_dict("records")
        }
        for kind, rows in chosen.groupby("kind", sort=False)
    }
    wide = pd.DataFrame(cells).loc[list(COMPARED_METRICS)]
    counts = chosen.groupby("metric")["n"]
    fewest, most = counts.min().to_dict(), counts.max().to_dict()
    wide = wide.assign(neurons=pd.Series({name: Range(fewest[name], most[name]) for name in COMPARED_METRICS}))
    return BookTable(f"table-1-{statistic}", wide.rename(index=METRIC_TITLES), {"neurons": 0}, as_half=True)


def paired_table(atlas: Atlas, min_examples: int = ENOUGH_EXAMPLES, seed: int = 0) -> BookTable:
    """Neuron embedding minus pre-MLP vector and minus control, neuron by neuron: a group of rows each.

    Columns: the mean difference with its interval, the share of the neurons, in percent, where it is above zero,
    exactly zero (a tie) and below, and the neurons for which the metric is defined in both spaces.
    """
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for other in ("pre_mlp", "shuffled"):
        table = paired_differences(atlas, atlas.manifest.embedding, other, min_examples, seed)
        for metric in COMPARED_METRICS:
            of_metric = table[table["metric"] == metric].set_index("statistic")
            mine: Any = of_metric[["value", "low", "high", "n"]].to_dict(
                "index"
            )  # to pandas' stubs its keys are anything
            sides = {f"{side} / %": 100 * mine[side]["value"] for side in ("above", "equal", "below")}
            difference = Difference(mine["mean"]["value"], mine["mean"]["low"], mine["mean"]["high"])
            rows[f"minus {EMBEDDING_NAMES[other]}", METRIC_TITLES[metric]] = {
                "mean difference": Quantity(
                    named(f"{metric}: neuron embedding minus {other}", min_examples), difference
                ),
                **sides,
                "neurons": int(mine["mean"]["n"]),
            }
    digits = dict.fromkeys(("above / %", "equal / %", "below / %"), 0)
    return BookTable("paired-differences", pd.DataFrame.from_dict(rows, orient="index"), digits)
