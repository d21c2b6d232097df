"""What Table 1 supports, and its tables (neuron embeddings against pre-MLP vectors, and against the control)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.method.embeddings import EMBEDDING_NAMES
from nbkit.method.metrics import METRIC_TITLES
from nbkit.studies.embedding_spaces.comparison import COMPARED_METRICS, compare_spaces, paired_differences, value_of
from nbkit.studies.shared.estimate import UNDEFINED, Difference


@dataclass(frozen=True)
class Distances:
    """Mean cosine distances in a space, averaged over the neurons; or how far they move from one space to another."""

    within: float
    """Between examples in the same cluster."""
    between: float
    """Between examples in different clusters."""

    def since(self, before: Distances) -> Distances:
        """How far they moved."""
        return Distances(self.within - before.within, self.between - before.between)


@dataclass(frozen=True)
class Separation:
    """How neuron embeddings part a neuron's examples, beside pre-MLP vectors and the shuffled-weight control.

    The differences are means over the neurons, neuron by neuron, at an equal number of clusters.
    """

    pre_mlp: Distances
    own: Distances
    control: Distances
    silhouette_over_pre_mlp: Difference
    """Silhouette of the neuron embedding minus that of the pre-MLP vector."""
    silhouette_over_control: Difference
    agreement_over_pre_mlp: Difference
    """Agreement with key tokens, of the neuron embedding minus of the pre-MLP vector."""
    agreement_over_control: Difference

    @property
    def moved(self) -> Distances:
        """From pre-MLP vectors to neuron embeddings."""
        return self.own.since(self.pre_mlp)

    @property
    def control_moved(self) -> Distances:
        """From pre-MLP vectors to the control."""
        return self.control.since(self.pre_mlp)


def separation(atlas: Atlas, min_examples: int = 10, seed: int = 0) -> Separation:
    """What Table 1 supports, over the neurons with at least `min_examples` examples; the seed is of the bootstrap.

    Raises:
        NbkitError: if no neuron has that many examples.
    """
    own = atlas.manifest.embedding
    table = compare_spaces(atlas, min_examples=min_examples, seed=seed)
    distances = {
        kind: Distances(value_of(table, kind, "intra_cluster"), value_of(table, kind, "inter_cluster"))
        for kind in ("pre_mlp", own, "shuffled")
    }
    over_pre_mlp, over_control = (
        paired_differences(atlas, own, other, min_examples, seed) for other in ("pre_mlp", "shuffled")
    )
    return Separation(
        pre_mlp=distances["pre_mlp"],
        own=distances[own],
        control=distances["shuffled"],
        silhouette_over_pre_mlp=Difference.of_means(over_pre_mlp, "silhouette_matched"),
        silhouette_over_control=Difference.of_means(over_control, "silhouette_matched"),
        agreement_over_pre_mlp=Difference.of_means(over_pre_mlp, "token_agreement_matched"),
        agreement_over_control=Difference.of_means(over_control, "token_agreement_matched"),
    )


def table1(table: pd.DataFrame, statistic: str) -> pd.DataFrame:
    """`compare_spaces` for the eye: a row per metric, a column per kind, each cell a value ± half its interval."""
    chosen = table[table["statistic"] == statistic]
    cells = chosen.assign(cell=[with_interval(row.value, row.low, row.high) for row in chosen.itertuples()])
    wide = cells.pivot(index="metric", columns="kind", values="cell")
    wide = wide.loc[list(COMPARED_METRICS), list(dict.fromkeys(chosen["kind"]))]
    return wide.rename(index=METRIC_TITLES, columns=EMBEDDING_NAMES).rename_axis(index=None, columns=statistic)


def paired_table(atlas: Atlas, min_examples: int = 10, seed: int = 0) -> pd.DataFrame:
    """Neuron embedding minus pre-MLP vector and minus control: mean difference, interval, share of positive ones."""
    columns = {}
    for other in ("pre_mlp", "shuffled"):
        table = paired_differences(atlas, atlas.manifest.embedding, other, min_examples, seed)
        rows = table.pivot(index="metric", columns="statistic", values=["value", "low", "high"]).loc[
            list(COMPARED_METRICS)
        ]
        columns[f"minus {EMBEDDING_NAMES[other]}"] = [
            with_interval(row["value", "mean"], row["low", "mean"], row["high", "mean"]) for _, row in rows.iterrows()
        ]
        columns[f"share above {EMBEDDING_NAMES[other]}"] = [
            UNDEFINED if np.isnan(value) else f"{value:.0%}" for value in rows["value", "share"]
        ]
    return pd.DataFrame(columns, index=[METRIC_TITLES[name] for name in COMPARED_METRICS])


def with_interval(value: Any, low: Any, high: Any) -> str:
    """A figure with half its interval, as a table prints it."""
    return UNDEFINED if np.isnan(value) else f"{value:.3f} ± {(high - low) / 2:.3f}"
