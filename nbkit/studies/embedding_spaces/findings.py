"""Neuron against pre-MLP embeddings in words and tables (Table 1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.studies.embedding_spaces.comparison import MEASURES, compare_spaces, paired_differences
from nbkit.studies.shared.text import Text

NAMES = {
    "input": "neuron embedding",
    "gradient": "neuron embedding (gradient)",
    "gate": "neuron embedding (gate)",
    "up": "neuron embedding (up)",
    "pre_mlp": "pre-MLP vector",
    "shuffled": "another neuron's weights (control)",
}

METRICS = {
    "intra_cluster": "intra-cluster",
    "inter_cluster": "inter-cluster",
    "n_clusters": "clusters",
    "silhouette": "silhouette",
    "silhouette_matched": "silhouette, equal number of clusters",
    "token_agreement": "agreement with key tokens",
    "token_agreement_matched": "agreement with key tokens, equal number of clusters",
}

UNDEFINED = "undefined"
"""In a table, where no neuron has the metric."""


def embedding_spaces(atlas: Atlas, min_examples: int = 10, seed: int = 0) -> Text:
    """What Table 1 supports, in three sentences that follow its numbers."""
    own = atlas.manifest.embedding
    table = compare_spaces(atlas, min_examples=min_examples, seed=seed).set_index(["kind", "metric", "statistic"])[
        "value"
    ]
    intra, inter = (
        {k: table[k, name, "mean"] for k in ("pre_mlp", own, "shuffled")} for name in ("intra_cluster", "inter_cluster")
    )
    moved = {
        k: f"{intra[k] - intra['pre_mlp']:+.3f} within and {inter[k] - inter['pre_mlp']:+.3f} between clusters"
        for k in (own, "shuffled")
    }
    against = {other: paired_differences(atlas, own, other, min_examples, seed) for other in ("pre_mlp", "shuffled")}
    return Text(
        f"- **Distances.** From pre-MLP vectors to neuron embeddings the mean distance moves by {moved[own]}. With "
        f"another neuron's weights in place of the neuron's own it moves by {moved['shuffled']}. What both have in "
        f"common says "
        "nothing about the neuron.\n"
        f"- **Separation at an equal number of clusters.** The silhouette of the neuron embedding is "
        f"{phrase(against['pre_mlp'], 'silhouette_matched')} that of the pre-MLP vector, and "
        f"{phrase(against['shuffled'], 'silhouette_matched')} that of the control.\n"
        "- **Agreement with the key tokens at an equal number of clusters**, a yardstick that lives in no embedding "
        f"space, is {phrase(against['pre_mlp'], 'token_agreement_matched')} that of the pre-MLP vector, and "
        f"{phrase(against['shuffled'], 'token_agreement_matched')} that of the control."
    )


def phrase(table: pd.DataFrame, metric: str) -> str:
    """A paired difference as words: `higher by 0.012 (95% interval +0.010 to +0.014) than`, or why there is none."""
    row = table[(table["metric"] == metric) & (table["statistic"] == "mean")].iloc[0]
    if row["n"] == 0:
        return "in no neuron defined together with"
    interval = f"95% interval {row['low']:+.3f} to {row['high']:+.3f}"
    if row["low"] <= 0 <= row["high"]:
        return f"not measurably different ({row['value']:+.3f}, {interval}) from"
    return f"{'higher' if row['value'] > 0 else 'lower'} by {abs(row['value']):.3f} ({interval}) than"


def table1(table: pd.DataFrame, statistic: str) -> pd.DataFrame:
    """`compare_spaces` for the eye: a row per metric, a column per kind, each cell a value ± half its interval."""
    chosen = table[table["statistic"] == statistic]
    cells = chosen.assign(cell=[with_interval(row.value, row.low, row.high) for row in chosen.itertuples()])
    wide = cells.pivot(index="metric", columns="kind", values="cell")
    wide = wide.loc[list(MEASURES), list(dict.fromkeys(chosen["kind"]))]
    return wide.rename(index=METRICS, columns=NAMES).rename_axis(index=None, columns=statistic)


def paired_table(atlas: Atlas, min_examples: int = 10, seed: int = 0) -> pd.DataFrame:
    """Neuron embedding minus pre-MLP vector and minus control: mean difference, interval, share of positive ones."""
    columns = {}
    for other in ("pre_mlp", "shuffled"):
        table = paired_differences(atlas, atlas.manifest.embedding, other, min_examples, seed)
        rows = table.pivot(index="metric", columns="statistic", values=["value", "low", "high"]).loc[list(MEASURES)]
        columns[f"minus {NAMES[other]}"] = [
            with_interval(row["value", "mean"], row["low", "mean"], row["high", "mean"]) for _, row in rows.iterrows()
        ]
        columns[f"share above {NAMES[other]}"] = [
            UNDEFINED if np.isnan(value) else f"{value:.0%}" for value in rows["value", "share"]
        ]
    return pd.DataFrame(columns, index=[METRICS[name] for name in MEASURES])


def with_interval(value: Any, low: Any, high: Any) -> str:
    """A figure with half its interval, as a table prints it."""
    return UNDEFINED if np.isnan(value) else f"{value:.3f} ± {(high - low) / 2:.3f}"
