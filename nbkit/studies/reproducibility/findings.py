"""The paper beside this build."""

from __future__ import annotations

import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.method.clusters import PAPER_CUT
from nbkit.method.metrics import METRIC_TITLES
from nbkit.studies.shared import paper
from nbkit.studies.shared.populations import ENOUGH_EXAMPLES, metric_name
from nbkit.studies.shared.quantity import Quantity
from nbkit.studies.shared.space_comparison import compare_spaces, value_of
from nbkit.studies.shared.table import BookTable, Printed


def setups(atlas: Atlas) -> BookTable:
    """What the paper scanned, and how, beside this build."""
    m = atlas.manifest
    rows = {
        "Model": (
            f"{paper.MODEL}, {paper.N_LAYERS} layers, {paper.N_NEURONS:,} neurons",
            f"{m.model_title}, {len(m.layers)} of {m.n_sites} layers, {len(atlas.neurons):,} neurons",
        ),
        "Corpus": (
            f"{paper.CORPUS}, {paper.N_CONTEXTS:,} examples",
            f"{m.corpus}, {m.n_contexts:,} contexts of {m.length} tokens",
        ),
        "Maximum activation from": (
            paper.MAXIMA_FROM,
            "the scanned corpus" if m.maxima_sha256 is None else "a given table",
        ),
        "An example reaches": (f"{paper.THRESHOLD:.0%} of the maximum", f"{m.threshold:.0%} of the maximum"),
        "Examples kept": (f"the first {paper.MAX_EXAMPLES}", f"the first {m.max_examples}"),
        "Distance of the cut": (f"{PAPER_CUT:g}", _cuts(atlas)),
    }
    return BookTable("setups", pd.DataFrame.from_dict(rows, orient="index", columns=["paper", "this build"]))


def _cuts(atlas: Atlas) -> str:
    cuts = [atlas.cut(layer) for layer in atlas.layers]
    return f"{min(cuts):g}" if min(cuts) == max(cuts) else f"{min(cuts):g} to {max(cuts):g}"


def paper_and_build(atlas: Atlas, min_examples: int = ENOUGH_EXAMPLES, seed: int = 0) -> BookTable:
    """The paper's numbers of language models beside this build's, means and medians over neurons.

    Args:
        min_examples: examples that a neuron needs to count.
        seed: of the bootstrap.

    Raises:
        NbkitError: if no neuron has enough.
    """
    table = compare_spaces(atlas, min_examples=min_examples, seed=seed)

    def row(printed: Printed | None, kind: str, metric: str) -> dict[str, object]:
        mine = {
            statistic: Quantity(
                metric_name(kind, metric, statistic, min_examples), value_of(table, kind, metric, statistic)
            )
            for statistic in ("mean", "median")
        }
        return {"paper": printed, **mine}

    rows: dict[tuple[str, str], dict[str, object]] = {}
    for title, kind, name in (
        ("pre-MLP vector", "pre_mlp", "pre_mlp"),
        ("neuron embedding", atlas.manifest.embedding, "neuron"),
        ("another neuron's weights (control)", "shuffled", ""),
    ):
        for metric in ("intra_cluster", "inter_cluster"):
            printed = Printed(paper.TABLE_1[name][metric], 2) if name else None
            rows["Table 1, means", f"{title}, {METRIC_TITLES[metric]}"] = row(printed, kind, metric)
    rows["Figure 2, one neuron", METRIC_TITLES["n_clusters"]] = row(
        Printed(paper.CLUSTERS_OF_ONE, 0), atlas.manifest.embedding, "n_clusters"
    )
    return BookTable("paper-and-build", pd.DataFrame.from_dict(rows, orient="index", dtype=object))


def fingerprints(atlas: Atlas) -> BookTable:
    """Checksums of what went into the atlas, whole."""
    m = atlas.manifest
    rows = {"model weights": m.model_sha256, "contexts": m.contexts_sha256}
    return BookTable("fingerprints", pd.DataFrame.from_dict(rows, orient="index", columns=["sha256"]))
