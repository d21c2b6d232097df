"""A made-up atlas: tables of metrics written by hand, for known answers; no model or scan needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.manifest import ATLAS_SCHEMA, Manifest
from nbkit.atlas.snippets import Snippet
from nbkit.method.clusters import PAPER_CUT
from nbkit.models.site import Site

MADE_UP_METRICS: dict[str, float] = {
    "n_examples": 50,
    "max_activation": 4.0,
    "max_distance": 1.0,
    "mean_distance": 0.5,
    "intra_cluster": 0.2,
    "inter_cluster": 0.7,
    "n_clusters": 2,
    "largest_share": 0.6,
    "second_share": 0.4,
    "concentration": 0.1,
    "silhouette": 0.4,
    "silhouette_matched": 0.4,
    "token_agreement": 0.1,
    "token_agreement_matched": 0.1,
}
MANIFEST = Manifest(
    schema=ATLAS_SCHEMA,
    model="a-model",
    model_sha256="12ab",
    corpus="a-corpus",
    contexts_sha256="34cd",
    n_contexts=1234,
    length=128,
    sites=tuple(Site.of_neurons(layer, 16, 8, False, "gelu_new") for layer in (0, 1)),
    n_sites=6,
    threshold=0.75,
    max_examples=100,
    weights="native",
    embedding="input",
    batch_size=16,
    block_size=128,
    seed=7,
    maxima_sha256=None,
    dtype="float32",
    device="cpu",
    versions={"nbkit": "0.1.0", "torch": "2.8.0"},
)
GATED = replace(
    MANIFEST,
    sites=tuple(Site.of_neurons(layer, 16, 8, True, "silu") for layer in (0, 1)),
    embedding="gradient",
)
OF_LATENTS = replace(
    MANIFEST,
    sites=tuple(
        Site(number, hook, "latent", n_units, 8, False, "linear", "activations", "TopK, k = 4", "an-sae", sha256)
        for number, hook, n_units, sha256 in (
            (0, "blocks.1.hook_resid_post", 20, "56ef"),
            (1, "blocks.0.mlp.hook_in", 9, "78ab"),
            (2, "blocks.2.hook_resid_post", 5, "90cd"),
        )
    ),
    n_sites=3,
)
KEY_TOKENS_OF = ((" 12", "-"), (" 12", "-", " run"), (" run", " 12"))
"""By how many of them have a letter: none, a third, half."""
MANIFESTS = {"plain": MANIFEST, "gated": GATED}


@dataclass(frozen=True)
class Named:
    """What a choice says of its neuron."""

    layer: int
    index: int
    n: int
    at: int
    """Position of all its key tokens."""
    key_tokens: tuple[str, ...]
    """In turn those of its examples."""

    def __len__(self) -> int:
        return self.n

    @property
    def name(self) -> str:
        return f"L{self.layer} N{self.index}"

    @property
    def position(self) -> np.ndarray:
        return np.full(self.n, self.at)

    @property
    def snippets(self) -> list[Snippet]:
        texts = [self.key_tokens[i % len(self.key_tokens)] for i in range(self.n)]
        return [Snippet((text,), (1.0,), 0, 0, self.at) for text in texts]


@dataclass(frozen=True)
class ExampleAtlas:
    """What the pages' functions need of an atlas to compare spaces and choose neurons."""

    neurons: pd.DataFrame
    others: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    manifest: Manifest = MANIFEST
    path: Path = Path("example-atlas")

    @property
    def layers(self) -> tuple[int, ...]:
        return self.manifest.layers

    def metrics(self, kind: str) -> pd.DataFrame:
        return self.neurons if kind == self.manifest.embedding else self.others[kind]

    def cut(self, layer: int) -> float:
        return PAPER_CUT

    def neuron(self, layer: int, index: int) -> Named:
        [row] = self.neurons[(self.neurons["layer"] == layer) & (self.neurons["index"] == index)].to_dict("records")
        key_tokens = KEY_TOKENS_OF[int(row.get("lettered", 2))]
        return Named(layer, index, int(row["n_examples"]), int(row.get("position", 5)), key_tokens)


def metrics_table(rows: Sequence[Mapping[str, float]]) -> pd.DataFrame:
    """A table of neurons, each with `MADE_UP_METRICS` but for what its row says; numbered, in layer 0, unless told."""
    return pd.DataFrame([{"layer": 0, "index": number, **MADE_UP_METRICS, **row} for number, row in enumerate(rows)])


def example_atlas(
    rows: Sequence[Mapping[str, float]], manifest: Manifest = MANIFEST, **others: Sequence[Mapping[str, float]]
) -> Atlas:
    """An atlas whose neurons have these metrics, and those of `others` in other spaces."""
    tables = {kind: metrics_table(table) for kind, table in others.items()}
    return cast(Atlas, ExampleAtlas(metrics_table(rows), tables, manifest))


def compared_atlas(manifest: Manifest = MANIFEST) -> Atlas:
    """Forty neurons whose three spaces differ by known amounts, alike in each neuron.

    The agreement with key tokens differs in each neuron and not on average; the control has none.
    """
    own = [{"intra_cluster": 0.2, "inter_cluster": 0.7, "silhouette_matched": 0.4, "token_agreement_matched": 0.3}] * 40
    pre_mlp = [
        {"intra_cluster": 0.3, "inter_cluster": 0.6, "silhouette_matched": 0.3, "token_agreement_matched": value}
        for value in [0.25, 0.35] * 20
    ]
    shuffled = [
        {"intra_cluster": 0.25, "inter_cluster": 0.65, "silhouette_matched": 0.45, "token_agreement_matched": math.nan}
    ] * 40
    spaces: dict[str, list[dict[str, float]]] = {
        "pre_mlp": pre_mlp,
        "shuffled": shuffled,
        "gate": [{"intra_cluster": 0.1}] * 40,
        "up": [{}] * 40,
    }
    return example_atlas(own, manifest, **spaces)
