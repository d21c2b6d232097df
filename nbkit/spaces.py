"""Table 1: the same dataset examples in several embedding spaces, the shuffled-weight control among them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nbkit.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.intervals import summarize

MEASURES = (
    "intra_cluster",
    "inter_cluster",
    "n_clusters",
    "silhouette",
    "silhouette_matched",
    "token_agreement",
    "token_agreement_matched",
)
"""Columns of a survey that are compared between spaces."""

COLUMNS = ("statistic", "value", "low", "high", "n")


def has_examples(atlas: Atlas, at_least: int) -> np.ndarray:
    """(n_neurons,) which neurons have at least so many examples.

    Raises:
        NbkitError: if none has.
    """
    enough: np.ndarray = (atlas.neurons["n_examples"] >= at_least).to_numpy()
    if not enough.any():
        most = int(atlas.neurons["n_examples"].max())
        raise NbkitError(f"no neuron has {at_least} examples (the most is {most}): scan more text or ask for fewer")
    return enough


def joined_metrics(atlas: Atlas, kinds: Sequence[str], min_examples: int) -> dict[str, pd.DataFrame]:
    """The metrics of the neurons with at least `min_examples` examples, one table per kind, rows aligned.

    Raises:
        NbkitError: if no neuron has that many examples.
    """
    enough = has_examples(atlas, min_examples)
    return {kind: atlas.metrics(kind)[enough].reset_index(drop=True) for kind in kinds}


def compare_spaces(
    atlas: Atlas, kinds: Sequence[str] | None = None, min_examples: int = 10, seed: int = 0
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
        for metric in MEASURES
    ]
    return pd.concat(parts, ignore_index=True)[["kind", "metric", *COLUMNS]]


def paired_differences(atlas: Atlas, kind: str, other: str, min_examples: int = 10, seed: int = 0) -> pd.DataFrame:
    """`kind` minus `other`, neuron by neuron: what is left when everything that differs between neurons cancels.

    Returns:
        As `compare_spaces`, over the neurons for which both are defined; the statistic `share` is the share of them
        whose difference is positive.
    """
    tables = joined_metrics(atlas, (kind, other), min_examples)
    parts = []
    for metric in MEASURES:
        difference = (tables[kind][metric] - tables[other][metric]).dropna()
        share = summarize((difference > 0).astype(float), seed).iloc[:1].assign(statistic="share")
        parts.append(pd.concat([summarize(difference, seed), share]).assign(metric=metric))
    return pd.concat(parts, ignore_index=True)[["metric", *COLUMNS]]
