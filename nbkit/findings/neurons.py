"""An atlas in words and tables: its neurons, and the paper beside this build."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbkit.atlas import Atlas
from nbkit.findings.spaces import (
    NAMES,
    UNDEFINED,
    phrase,
)
from nbkit.findings.text import Text
from nbkit.intervals import summarize
from nbkit.models import activation_function
from nbkit.neuron import Neuron
from nbkit.showcase import extremes as extreme_neurons
from nbkit.showcase import key_words
from nbkit.spaces import compare_spaces, has_examples, paired_differences

ENOUGH = 20
"""Examples that a neuron needs to count in statements about how behaviours are distributed."""


def provenance(atlas: Atlas, profile: str) -> Text:
    """What made the numbers of a page, in one paragraph."""
    m = atlas.manifest
    libraries = ", ".join(f"{name} {number}" for name, number in m.versions.items())
    weights = "as the model has them" if m.weights == "native" else "with the layer norm folded in"
    return Text(
        f"*Made by profile `{profile}`: model `{m.model}` ({m.dtype} on {m.device}, input weights {weights}), "
        f"{len(m.layers)} of {m.n_layers} layers, corpus `{m.corpus}`, {m.n_contexts:,} contexts of {m.length} tokens; "
        f"examples reach {m.threshold:.0%} of a neuron's maximum, the first {m.max_examples} are kept; embedding "
        f"`{m.embedding}`; seed {m.seed}; {libraries}.*"
    )


def identity(neuron: Neuron, n: int = 6) -> pd.DataFrame:
    """For the first n examples the sums of the neuron's embeddings, and the activation that follows from them.

    `captured` is the activation that the scan saw; `difference` is rounding.
    """
    act_fn = activation_function(neuron.activation)
    table = pd.DataFrame({"key token": [snippet.key_token for snippet in neuron.snippets[:n]]})
    kinds = [kind for kind in ("input", "gate", "up") if kind in neuron.kinds]
    sums = {kind: neuron.embeddings(kind)[:n].sum(1, dtype=np.float64) for kind in kinds}
    biases = {"gate": neuron.weights.b_gate}
    for kind in kinds:
        sums[kind] = sums[kind] + biases.get(kind, neuron.weights.b_in)
        table[f"sum of the {kind} embedding + bias"] = sums[kind]
    inner = _apply(act_fn, sums["gate" if "gate" in sums else "input"])
    table["activation"] = inner * sums["up"] if "up" in sums else inner
    table["captured"] = neuron.peak[:n]
    table["difference"] = table["activation"] - table["captured"]
    return table


def _apply(act_fn: object, values: np.ndarray) -> np.ndarray:
    import torch

    assert callable(act_fn)
    result: np.ndarray = act_fn(torch.from_numpy(values)).numpy()
    return result


def faithfulness_table(table: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Mean faithfulness of every kind of embedding over the sampled neurons, with its 95% bootstrap interval."""
    rows = []
    for kind, group in table.groupby("kind", sort=False):
        mean = summarize(group["faithfulness"], seed).iloc[0]
        rows.append({"embedding": NAMES[str(kind)], "mean": mean["value"], "low": mean["low"], "high": mean["high"]})
    return pd.DataFrame(rows).set_index("embedding").sort_values("mean", ascending=False)


@dataclass(frozen=True)
class Behaviours:
    """How the behaviours of the neurons with enough examples are distributed, at a cut of 0.5."""

    n_neurons: int
    """Neurons scanned."""
    n_enough: int
    """Those with enough examples, over which the rest is taken."""
    median_clusters: float
    several: float
    """Share with more than one cluster."""
    hidden: float
    """Share with more than one cluster, the largest holding at least 90% of the examples."""
    median_largest: float
    """Median share of the largest cluster."""


def behaviours(atlas: Atlas, min_examples: int = ENOUGH) -> Behaviours:
    """The distribution of behaviours over the neurons with at least `min_examples` examples.

    Raises:
        NbkitError: if no neuron has enough.
    """
    table = atlas.neurons[has_examples(atlas, min_examples)]
    several = table["n_clusters"] > 1
    return Behaviours(
        n_neurons=len(atlas.neurons),
        n_enough=len(table),
        median_clusters=float(table["n_clusters"].median()),
        several=float(several.mean()),
        hidden=float((several & (table["largest_share"] >= 0.9)).mean()),
        median_largest=float(table["largest_share"].median()),
    )


def rare_behaviours(atlas: Atlas, min_examples: int = ENOUGH) -> Text:
    """How often a common behaviour hides a rare one, as a sentence."""
    b = behaviours(atlas, min_examples)
    return Text(
        f"Of the {b.n_enough:,} neurons with at least {min_examples} examples, {b.several:.1%} have more than one "
        f"feature cluster at distance 0.5. In **{b.hidden:.1%}** the largest cluster holds at least nine tenths of "
        f"the examples beside at least one other cluster: a common behaviour that hides a rare one. The median "
        f"share of the largest cluster is {b.median_largest:.0%}."
    )


def paper_and_build(atlas: Atlas, min_examples: int = 10, seed: int = 0) -> pd.DataFrame:
    """Every number of the paper that is in scope beside this build's."""
    m, own = atlas.manifest, atlas.manifest.embedding
    values = compare_spaces(atlas, min_examples=min_examples, seed=seed).set_index(["kind", "metric", "statistic"])[
        "value"
    ]

    def both(kind: str, metric: str) -> str:
        mean, median = values[kind, metric, "mean"], values[kind, metric, "median"]
        return UNDEFINED if np.isnan(mean) else f"{mean:.2f} mean, {median:.2f} median"

    b = behaviours(atlas)
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


def start_page(atlas: Atlas, min_examples: int = ENOUGH) -> Text:
    """The key findings, each with its number and the page that holds it."""
    m, own, b = atlas.manifest, atlas.manifest.embedding, behaviours(atlas, min_examples)
    table = compare_spaces(atlas, ("pre_mlp", own, "shuffled")).set_index(["kind", "metric", "statistic"])["value"]
    kinds, distances = ("pre_mlp", own, "shuffled"), ("intra_cluster", "inter_cluster")
    intra, inter = ({kind: table[kind, name, "mean"] for kind in kinds} for name in distances)
    against = {other: paired_differences(atlas, own, other) for other in ("pre_mlp", "shuffled")}
    return Text(
        f"1. **Scan.** {b.n_neurons:,} neurons of `{m.model}` over {m.n_contexts:,} contexts of {m.length} "
        f"tokens from `{m.corpus}`; {b.n_enough:,} neurons have at least {min_examples} dataset examples "
        "([whole model](whole-model)).\n"
        f"2. **Several behaviours.** {b.several:.1%} of those neurons have more than one feature "
        f"cluster at distance 0.5; the median neuron has {b.median_clusters:g} "
        "([feature clusters](feature-clusters)).\n"
        f"3. **Rare behaviours.** In {b.hidden:.1%} of them a common behaviour hides a rare one: the largest cluster "
        "holds nine tenths of the examples or more, and there is another ([rare behaviours](rare-behaviours)).\n"
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


def examples_summary(atlas: Atlas) -> Text:
    """How many examples the neurons have, as a sentence."""
    n, most = atlas.neurons["n_examples"], atlas.manifest.max_examples
    return Text(
        f"{len(n):,} neurons in {len(atlas.layers)} layers. {(n == 0).mean():.1%} have no example, "
        f"{(n == 1).mean():.1%} have "
        f"one, {(n >= ENOUGH).mean():.1%} have at least {ENOUGH}, and {(n == most).mean():.1%} have all {most} that "
        f"are kept; the median is {n.median():g}."
    )


def extremes(atlas: Atlas) -> pd.DataFrame:
    """The neurons at both ends, with their key tokens."""
    table = extreme_neurons(atlas)
    neurons = [atlas.neuron(int(layer), int(i)) for layer, i in zip(table["layer"], table["index"], strict=True)]
    return pd.DataFrame(
        {
            "": table["extreme"].where(~table["extreme"].duplicated(), ""),
            "neuron": [f"L{neuron.layer} N{neuron.index}" for neuron in neurons],
            "examples": table["n_examples"],
            "clusters": table["n_clusters"].astype(int),
            "mean distance": table["mean_distance"].round(3),
            "most frequent key tokens": [key_words(neuron, 4) for neuron in neurons],
        }
    ).set_index("")


def fingerprints(atlas: Atlas) -> pd.DataFrame:
    """Checksums of what went into the atlas."""
    m = atlas.manifest
    return pd.Series({"model weights (sha256)": m.model_sha256, "contexts (sha256)": m.contexts_sha256}).to_frame(
        "value"
    )
