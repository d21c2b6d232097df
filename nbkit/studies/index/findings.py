"""The findings of all pages, for the start page."""

from __future__ import annotations

from nbkit.atlas.atlas import Atlas
from nbkit.studies.embedding_spaces.comparison import compare_spaces, paired_differences
from nbkit.studies.embedding_spaces.findings import (
    phrase,
)
from nbkit.studies.rare_behaviors.findings import ENOUGH, behaviors
from nbkit.studies.shared.text import Text


def start_page(atlas: Atlas, min_examples: int = ENOUGH) -> Text:
    """The key findings, each with its number and the page that holds it."""
    m, own, b = atlas.manifest, atlas.manifest.embedding, behaviors(atlas, min_examples)
    table = compare_spaces(atlas, ("pre_mlp", own, "shuffled")).set_index(["kind", "metric", "statistic"])["value"]
    kinds, distances = ("pre_mlp", own, "shuffled"), ("intra_cluster", "inter_cluster")
    intra, inter = ({kind: table[kind, name, "mean"] for kind in kinds} for name in distances)
    against = {other: paired_differences(atlas, own, other) for other in ("pre_mlp", "shuffled")}
    return Text(
        f"1. **Scan.** {b.n_neurons:,} neurons of `{m.model}` over {m.n_contexts:,} contexts of {m.length} "
        f"tokens from `{m.corpus}`; {b.n_enough:,} neurons have at least {min_examples} dataset examples "
        "([whole model](whole-model)).\n"
        f"2. **Several behaviors.** {b.several:.1%} of those neurons have more than one feature "
        f"cluster at distance 0.5; the median neuron has {b.median_clusters:g} "
        "([feature clusters](feature-clusters)).\n"
        f"3. **Rare behaviors.** In {b.hidden:.1%} of them a common behavior hides a rare one: the largest cluster "
        "holds nine tenths of the examples or more, and there is another ([rare behaviors](rare-behaviors)).\n"
        f"4. **Table 1 and its control.** Mean distance within and between clusters is {intra['pre_mlp']:.2f} and "
        f"{inter['pre_mlp']:.2f} for pre-MLP vectors, {intra[own]:.2f} and {inter[own]:.2f} for neuron embeddings, and "
        f"{intra['shuffled']:.2f} and {inter['shuffled']:.2f} with another neuron's weights. These distances by "
        "themselves do not show that the neuron's own weights matter ([embedding spaces](embedding-spaces)).\n"
        "5. **At an equal number of clusters** the silhouette of neuron embeddings is "
        f"{phrase(against['pre_mlp'], 'silhouette_matched')} that of pre-MLP vectors and "
        f"{phrase(against['shuffled'], 'silhouette_matched')} that of the control; their agreement with the key "
        f"tokens is {phrase(against['pre_mlp'], 'token_agreement_matched')} that of pre-MLP vectors and "
        f"{phrase(against['shuffled'], 'token_agreement_matched')} that of the control "
        "([embedding spaces](embedding-spaces))."
    )
