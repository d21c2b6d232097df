"""The paper beside this build."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.studies.embedding_spaces.comparison import compare_spaces
from nbkit.studies.embedding_spaces.findings import (
    UNDEFINED,
)
from nbkit.studies.rare_behaviors.findings import behaviors


def paper_and_build(atlas: Atlas, min_examples: int = 10, seed: int = 0) -> pd.DataFrame:
    """Every number of the paper that is in scope beside this build's."""
    m, own = atlas.manifest, atlas.manifest.embedding
    values = compare_spaces(atlas, min_examples=min_examples, seed=seed).set_index(["kind", "metric", "statistic"])[
        "value"
    ]

    def both(kind: str, metric: str) -> str:
        mean, median = values[kind, metric, "mean"], values[kind, metric, "median"]
        return UNDEFINED if np.isnan(mean) else f"{mean:.2f} mean, {median:.2f} median"

    b = behaviors(atlas)
    rows = [
        (
            "Model",
            "GPT2-small, 12 layers, 36,864 neurons",
            f"{m.model}, {len(m.layers)} of {m.n_layers} layers, {len(atlas.neurons):,} neurons",
        ),
        ("Corpus", "OpenWebText, 10,000 examples", f"{m.corpus}, {m.n_contexts:,} contexts of {m.length} tokens"),
        (
            "Maximum activation from",
            "Neuroscope, a much larger corpus",
            "the scanned corpus" if m.maxima_sha256 is None else "a given table",
        ),
        ("An example reaches", "75% of the maximum", f"{m.threshold:.0%} of the maximum"),
        ("Examples kept", "the first 100", f"the first {m.max_examples}"),
        ("Distance of the cut", "0.5", "0.5"),
        ("Table 1, pre-MLP, intra-cluster", "0.31", both("pre_mlp", "intra_cluster")),
        ("Table 1, pre-MLP, inter-cluster", "0.63", both("pre_mlp", "inter_cluster")),
        ("Table 1, neuron, intra-cluster", "0.21", both(own, "intra_cluster")),
        ("Table 1, neuron, inter-cluster", "0.73", both(own, "inter_cluster")),
        ("Control, intra-cluster", "not given", both("shuffled", "intra_cluster")),
        ("Control, inter-cluster", "not given", both("shuffled", "inter_cluster")),
        ("Figure 2, clusters of one neuron", "6", f"{b.median_clusters:g} in the median neuron"),
        ("Figure 3, common to rare", "almost 50:1", f"at least 9:1 in {b.hidden:.1%} of the neurons"),
    ]
    return pd.DataFrame(rows, columns=["", "paper", "this build"]).set_index("")


def fingerprints(atlas: Atlas) -> pd.DataFrame:
    """Checksums of what went into the atlas."""
    m = atlas.manifest
    return pd.Series({"model weights (sha256)": m.model_sha256, "contexts (sha256)": m.contexts_sha256}).to_frame(
        "value"
    )
