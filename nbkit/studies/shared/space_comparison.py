"""Table 1: the same dataset examples in several embedding spaces, the shuffled-weight control among them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.method.intervals import summarize
from nbkit.studies.shared.populations import ENOUGH_EXAMPLES, has_examples

COMPARED_METRICS = (
    "intra_cluster",
    "inter_cluster",
    "n_clusters",
    "silhouette",
    "silhouette_matched",
    "token_agreement",
    "token_agreement_matched",
)
"""Columns of a survey that are compared between spaces."""

SUMMARY_COLUMNS = ("statistic", "value", "low", "high", "n")


def joined_metrics(atlas: Atlas, kinds: Sequence[str], min_examples: int) -> dict[str, pd.DataFrame]:
    """The metrics of the neurons with at least `min_examples` examples, one table per kind, rows aligned.

    Raises:
        NbkitError: if no neuron has that many examples.
    """
    enough = has_examples(atlas, min_examples)
    return {kind: atlas.metrics(kind)[enough].reset_index(drop=True) for kind in kinds}


def compare_spaces(
    atlas: Atlas, kinds: Sequence[str] | None = None, min_examples: int = ENOUGH_EXAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Table 1 for every neuron with enough examples, with bootstrap intervals.

    Args:
        kinds: embedding spaces; by default the pre-MLP vector, the atlas's embedding and the shuffled-weight control.
        min_examples: neurons with fewer are left out.
        seed: of the bootstrap.

    Returns:
        One row a number: `kind`, `metric`, `statistic` (mean or median over the neurons), `value`, `low` and `high`
        (its 95% percentile bootstrap interval, neurons resampled), and `n`, the neurons for which the metric is
        defined.
    """
    kinds = kinds or ("pre_mlp", atlas.manifest.embedding, "shuffled")
    tables = joined_metrics(atlas, kinds, min_examples)
    parts = [
        summarize(table[metric], seed).assign(kind=kind, metric=metric)
        for kind, table in tables.items()
        for metric in COMPARED_METRICS
    ]
    return pd.concat(parts, ignore_index=True)[["kind", "metric", *SUMMARY_COLUMNS]]


def value_of(table: pd.DataFrame, kind: str, metric: str, statistic: str = "mean") -> float:
    """One number of `compare_spaces`."""
    [value] = table.query("kind == @kind and metric == @metric and statistic == @statistic")["value"]
    return float(value)


def paired_differences(
    atlas: Atlas, kind: str, other: str, min_examples: int = ENOUGH_EXAMPLES, seed: int = 0
) -> pd.DataFrame:
    """`kind` minus `other`, neuron by neuron: what is left when everything that differs between neurons cancels.

    Returns:
        Columns as `compare_spaces` has, over the neurons for which both are defined; the statistics `above`, `equal`
        and `below` are the shares of them whose difference is positive, exactly zero and negative.
    """
    tables = joined_metrics(atlas, (kind, other), min_examples)
    parts = []
    for metric in COMPARED_METRICS:
        difference = (tables[kind][metric] - tables[other][metric]).dropna()
        sides = {"above": difference > 0, "equal": difference == 0, "below": difference < 0}
        shares = [summarize(of.astype(float), seed).iloc[:1].assign(statistic=side) for side, of in sides.items()]
        parts.append(pd.concat([summarize(difference, seed), *shares]).assign(metric=metric))
    return pd.concat(parts, ignore_index=True)[["metric", *SUMMARY_COLUMNS]]


def spaces_of(atlas: Atlas) -> tuple[str, ...]:
    """The embedding spaces that Table 1 compares: the pre-MLP vector, the neuron's own, and the control."""
    own = atlas.manifest.embedding
    others = tuple(kind for kind in (("gate", "up") if atlas.manifest.gated else ()) if kind != own)
    return ("pre_mlp", own, *others, "shuffled")
