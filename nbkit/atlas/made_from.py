"""What an atlas was made from, in words for whoever looks at it."""

from __future__ import annotations

from nbkit.atlas.manifest import Manifest
from nbkit.models.sign import Sign

_LOOKED_FOR: dict[Sign, str] = {
    "positive": "above zero",
    "negative": "below zero",
    "both": "above and below zero, by their absolute values",
}


def looked_for(m: Manifest) -> str:
    """On which side of zero an atlas's activations are."""
    return _LOOKED_FOR[m.sign]


def made_from(m: Manifest) -> dict[str, str]:
    """Everything that its manifest holds, each on a line, by what it is."""
    maximum = f"a {m.unit}'s maximum" if m.maxima_sha256 is None else f"the maximum that a {m.unit} was given"
    rows = {
        "model": m.model_name,
        "checkpoint": m.checkpoint or m.model_name,
        "sha256 of the weights": m.model_sha256,
        "precision": f"{m.dtype} on {m.device}",
        **_of_units(m),
        "corpus": m.corpus,
        "contexts": f"{m.n_contexts:,} of {m.length} tokens; {_around(m)}",
        "sha256 of the contexts": m.contexts_sha256,
        "activations": looked_for(m),
        "examples": f"reach {m.threshold:.0%} of {maximum}; the first {m.max_examples} are kept",
        **({} if m.maxima_sha256 is None else {"sha256 of the given maxima": m.maxima_sha256}),
        "embedding": m.embedding,
        "seed": str(m.seed),
        "versions": ", ".join(f"{name} {number}" for name, number in m.versions.items()),
    }
    return {name: " ".join(value.split()) for name, value in rows.items()}


def _of_units(m: Manifest) -> dict[str, str]:
    """What the units are, and where."""
    if all(site.unit == "neuron" for site in m.sites):
        weights = "as the model has them" if m.weights == "native" else "with the layer norm folded in"
        return {"input weights": weights, "layers": f"{len(m.layers)} of {m.n_sites}"}
    neurons = [site.number for site in m.sites if site.unit == "neuron"]
    rows = {"neurons": f"of {len(neurons)} layers, {neurons[0]} to {neurons[-1]}"} if neurons else {}
    for site in m.sites:
        if site.unit != "neuron":
            rows[f"site {site.label}"] = f"{site.n_units:,} {site.unit}s at {site.name} ({site.rule}): {site.source}"
            rows[f"{site.label} reads"] = site.reads
            rows[f"sha256 of {site.label}'s weights"] = site.sha256
    return rows


def _around(m: Manifest) -> str:
    """The special tokens of each context in words."""
    parts = [
        f"{where} each text " + " ".join(f"{text} (id {index})" for index, text in tokens)
        for where, tokens in (("before", m.added_before), ("after", m.added_after))
        if tokens
    ]
    return ", ".join(parts) if parts else "the tokenizer adds no special tokens"
