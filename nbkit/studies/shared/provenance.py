"""What made the numbers of a page."""

from __future__ import annotations

from importlib.metadata import version

from IPython.display import Markdown

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.manifest import Manifest
from nbkit.studies.shared.words import code


def provenance(atlas: Atlas, profile: str) -> Markdown:
    """What made the numbers of a page, in one paragraph."""
    m = atlas.manifest
    libraries = ", ".join(f"{name} {number}" for name, number in m.versions.items())
    weights = "as the model has them" if m.weights == "native" else "with the layer norm folded in"
    checkpoint = f"; the checkpoint is {m.checkpoint}" if m.checkpoint else ""
    return Markdown(
        f"*Made by profile {code(profile)}: model {code(m.model_name)} ({m.dtype} on {m.device}, input weights "
        f"{weights}{checkpoint}), {len(m.layers)} of {m.n_layers} layers, corpus {code(m.corpus)}, {m.n_contexts:,} "
        f"contexts of {m.length} tokens ({_around(m)}); examples reach {m.threshold:.0%} of a neuron's maximum, the "
        f"first {m.max_examples} are kept; embedding {code(m.embedding)}; seed {m.seed}; {libraries}.*"
    )


def _around(m: Manifest) -> str:
    """The special tokens of each context in words."""
    parts = [
        f"{where} each text " + " ".join(f"{code(text)} (id {index})" for index, text in tokens)
        for where, tokens in (("before", m.added_before), ("after", m.added_after))
        if tokens
    ]
    return ", ".join(parts) if parts else "the tokenizer adds no special tokens"


def mnist_provenance(profile: str, n_seeds: int, seed: int = 0) -> Markdown:
    """What made the numbers of a page of the MNIST part."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("nbkit", "torch", "numpy", "scipy"))
    seeds = f"seed {seed}" if n_seeds == 1 else f"one for each seed, {seed} to {seed + n_seeds - 1}"
    return Markdown(
        f"*Made by profile {code(profile)}: MNIST, 60,000 training and 10,000 test images; an MLP 784-64-10, {seeds}; "
        f"float32; {libraries}.*"
    )
