"""What made the numbers of a page: one line, which opens to everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib.metadata import version

from nbkit.assets.catalog import ASSETS
from nbkit.atlas.atlas import Atlas
from nbkit.atlas.manifest import Manifest

LIBRARIES = ("nbkit", "torch", "numpy", "scipy")
"""That compute the numbers of the MNIST part."""


@dataclass(frozen=True)
class Provenance:
    """A badge: closed it names what made a page, opened it tells all of it."""

    title: str
    """One line."""
    rows: Mapping[str, str]
    """Everything, by what it is."""

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in self.rows.items()
        )
        return f'<details class="nbkit-provenance"><summary>{escape(self.title)}</summary><dl>{rows}</dl></details>'


def provenance(atlas: Atlas, profile: str, images: Provenance | None = None) -> Provenance:
    """What made the numbers of a page about an atlas.

    Args:
        atlas: of the page.
        profile: the profile's name.
        images: what made the page's other numbers, those of the MNIST part.
    """
    m = atlas.manifest
    layers = f"{len(m.layers)} of {m.n_layers}"
    title = f"Made by profile {profile}: {m.model_name}, {layers} layers, on {m.n_contexts:,} contexts of {m.corpus}"
    rows = {
        "profile": profile,
        "model": m.model_name,
        "checkpoint": m.checkpoint or m.model_name,
        "sha256 of the weights": m.model_sha256,
        "precision": f"{m.dtype} on {m.device}",
        "input weights": "as the model has them" if m.weights == "native" else "with the layer norm folded in",
        "layers": layers,
        "corpus": m.corpus,
        "contexts": f"{m.n_contexts:,} of {m.length} tokens; {_around(m)}",
        "sha256 of the contexts": m.contexts_sha256,
        "examples": f"reach {m.threshold:.0%} of a neuron's maximum; the first {m.max_examples} are kept",
        "embedding": m.embedding,
        "seed": str(m.seed),
        "versions": ", ".join(f"{name} {number}" for name, number in m.versions.items()),
    }
    if images is not None:
        title += "; MNIST"
        rows |= {f"{name}, MNIST part": value for name, value in images.rows.items() if name != "profile"}
    return Provenance(_line(title), {name: _line(value) for name, value in rows.items()})


def mnist_provenance(profile: str, n_seeds: int, seed: int = 0) -> Provenance:
    """What made the numbers of a page of the MNIST part."""
    rows = {
        "profile": profile,
        "images": "MNIST, 60,000 for training and 10,000 for tests",
        "sha256 of the images' archive": ", ".join(download.sha256 for download in ASSETS["mnist"].downloads),
        "model": "an MLP 784-64-10, trained here",
        "seeds": f"seed {seed}" if n_seeds == 1 else f"one MLP for each seed, {seed} to {seed + n_seeds - 1}",
        "precision": "float32",
        "versions": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
    }
    seeds = rows["seeds"].replace("one MLP for each seed,", "seeds")
    title = f"Made by profile {profile}: MNIST, an MLP 784-64-10, {seeds}"
    return Provenance(_line(title), {name: _line(value) for name, value in rows.items()})


def _line(text: str) -> str:
    return " ".join(text.split())


def _around(m: Manifest) -> str:
    """The special tokens of each context in words."""
    parts = [
        f"{where} each text " + " ".join(f"{text} (id {index})" for index, text in tokens)
        for where, tokens in (("before", m.added_before), ("after", m.added_after))
        if tokens
    ]
    return ", ".join(parts) if parts else "the tokenizer adds no special tokens"
