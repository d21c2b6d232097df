"""The paper beside this build."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.neuron_table import ATLAS_CUT
from nbkit.studies.embedding_spaces.comparison import compare_spaces, value_of
from nbkit.studies.rare_behaviors.findings import behaviors
from nbkit.studies.shared import paper
from nbkit.studies.shared.estimate import UNDEFINED


def paper_and_build(atlas: Atlas, min_examples: int = 10, seed: int = 0) -> pd.DataFrame:
    """Every number of the paper that is in scope beside this build's."""
    m, own = atlas.manifest, atlas.manifest.embedding
    table, b = compare_spaces(atlas, min_examples=min_examples, seed=seed), behaviors(atlas)

    def both(kind: str, metric: str) -> str:
        mean, median = (value_of(table, kind, metric, statistic) for statistic in ("mean", "median"))
        return UNDEFINED if np.isnan(mean) else f"{mean:.2f} mean, {median:.2f} median"

    rows = [
        (
            "Model",
            f"{paper.MODEL}, {paper.N_LAYERS} layers, {paper.N_NEURONS:,} neurons",
            f"{m.model_title}, {len(m.layers)} of {m.n_layers} layers, {len(atlas.neurons):,} neurons",
        ),
        (
            "Corpus",
            f"{paper.CORPUS}, {paper.N_CONTEXTS:,} examples",
            f"{m.corpus}, {m.n_contexts:,} contexts of {m.length} tokens",
        ),
        (
            "Maximum activation from",
            paper.MAXIMA_FROM,
            "the scanned corpus" if m.maxima_sha256 is None else "a given table",
        ),
        ("An example reaches", f"{paper.THRESHOLD:.0%} of the maximum", f"{m.threshold:.0%} of the maximum"),
        ("Examples kept", f"the first {paper.MAX_EXAMPLES}", f"the first {m.max_examples}"),
        ("Distance of the cut", f"{paper.PAPER_CUT:g}", f"{ATLAS_CUT:g}"),
    ]
    for title, kind, printed in (
        ("Table 1, pre-MLP", "pre_mlp", paper.TABLE_1["pre_mlp"]),
        ("Table 1, neuron", own, paper.TABLE_1["neuron"]),
        ("Control", "shuffled", {"intra_cluster": "not given", "inter_cluster": "not given"}),
    ):
        rows.append((f"{title}, intra-cluster", f"{printed['intra_cluster']}", both(kind, "intra_cluster")))
        rows.append((f"{title}, inter-cluster", f"{printed['inter_cluster']}", both(kind, "inter_cluster")))
    rows += [
        (
            "Figure 2, clusters of one neuron",
            f"{paper.CLUSTERS_OF_ONE}",
            f"{b.median_clusters:g} in the median neuron",
        ),
        (
            "Figure 3, common to rare",
            f"almost {paper.COMMON_TO_RARE}:1",
            f"at least 9:1 in {b.hidden:.1%} of the neurons",
        ),
    ]
    return pd.DataFrame(rows, columns=["", "paper", "this build"]).set_index("")


def fingerprints(atlas: Atlas) -> pd.DataFrame:
    """Checksums of what went into the atlas."""
    m = atlas.manifest
    return pd.Series({"model weights (sha256)": m.model_sha256, "contexts (sha256)": m.contexts_sha256}).to_frame(
        "value"
    )
