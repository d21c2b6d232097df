"""The findings of all pages, for the start page."""

from __future__ import annotations

from nbkit.atlas.atlas import Atlas
from nbkit.studies.dead_latents.findings import dead_answer
from nbkit.studies.embedding_spaces.comparison import compare_spaces, paired_differences
from nbkit.studies.embedding_spaces.findings import (
    phrase,
)
from nbkit.studies.index.experiments import Experiments
from nbkit.studies.rare_behaviors.findings import ENOUGH, behaviors
from nbkit.studies.sae_tables.reproduction import misses
from nbkit.studies.shared.intervals import percent
from nbkit.studies.shared.paper import PAPER_COLUMNS, STANDARD, WITH_LOSS
from nbkit.studies.shared.text import Text
from nbkit.studies.trade_off.findings import compared_gradients, verdicts, what_gradients_say


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


def training_start_page(found: Experiments) -> Text:
    """The key findings about sparse autoencoders, each with the page that holds it."""
    tables, dead = found.tables, found.dead
    factor = {row: float(misses(tables.row(row), row)["factor"].iloc[0]) for row in (STANDARD, WITH_LOSS)}
    differences = compared_gradients(found.trade_off, found.gradients)
    [control, _] = what_gradients_say(differences).markdown.split("\n")
    [carriers, *_] = dead_answer(dead).markdown.split("\n")
    saved = f"{percent(dead.values('standard'))} to {percent(dead.values('ne'))}"
    lines = (
        f"**Tables 2 and 3.** The {len(PAPER_COLUMNS)} figures of the standard row miss the paper's by a factor of "
        f"{factor[STANDARD]:.2f} on average, those of the row with the loss by {factor[WITH_LOSS]:.2f} in the nearest "
        f"of {tables.tried['name'].nunique()} settings ([Tables 2 and 3](sae-tables)).",
        f"{verdicts(differences['whole']).markdown} {control.removeprefix('- ')} With the gradient through the average "
        f"alone: {verdicts({'mse': differences['average']['mse']}).markdown} See [what the loss buys](trade-off).",
        f"**Dead latents** fall from {saved}. {carriers} See [dead latents](dead-latents).",
    )
    return Text("\n".join(f"{number}. {said}" for number, said in enumerate(lines, start=1)))
