"""The data of the atlas explorer in shards, which the browser asks for by name when it needs them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from nbkit import showcase
from nbkit.atlas import VOCABULARY, Atlas
from nbkit.errors import NbkitError
from nbkit.explorers.neuron_shard import Importance, Text, neuron_arrays
from nbkit.explorers.packing import Layout, pack
from nbkit.features import features_of
from nbkit.files import read_table
from nbkit.snippets import display_token

PER_SHARD = 16
"""Neurons in a shard."""
NONE = 0xFFFF
"""What stands for a metric that is undefined."""
NAME = re.compile(r"([a-z]+)(?:-(\d{5}))?")

METRICS: dict[str, tuple[str, float, float]] = {
    "n_examples": ("examples", 1, 0),
    "n_clusters": ("feature clusters", 1, 0),
    "max_distance": ("maximum distance", 0.004, 0),
    "mean_distance": ("mean distance", 0.004, 0),
    "intra_cluster": ("intra-cluster distance", 0.004, 0),
    "inter_cluster": ("inter-cluster distance", 0.004, 0),
    "largest_share": ("share of the largest cluster", 0.004, 0),
    "silhouette": ("silhouette", 0.004, -1),
    "token_agreement": ("agreement with key tokens", 0.004, -1),
}
"""Columns of `Atlas.neurons` that are sent as whole numbers: what they are called; value = number * scale + shift."""


class AtlasShards:
    """Makes any shard of an atlas. A shard is what `nbkit.explorers.packing.pack` gives; `json` in it is text."""

    def __init__(self, atlas: Atlas) -> None:
        self.atlas = atlas
        self.n_neurons = len(atlas.layers) * atlas.manifest.d_mlp

    def names(self) -> list[str]:
        """The names of all shards."""
        numbers = range(-(-self.n_neurons // PER_SHARD))
        return ["overview", "vocabulary", "features", *(f"neurons-{number:05d}" for number in numbers)]

    def shard(self, name: str) -> tuple[Layout, bytes]:
        """Make a shard.

        Raises:
            NbkitError: there is none of this name.
        """
        if name not in self._known:
            raise NbkitError(f"The atlas has no part {name!r}.")
        kind, _, number = name.partition("-")
        make: dict[str, Callable[[int], dict[str, np.ndarray]]] = {
            "overview": self._overview,
            "vocabulary": self._vocabulary,
            "features": self._features,
            "neurons": self._neurons,
        }
        return pack(make[kind](int(number or 0)))

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.names())

    def _overview(self, _: int) -> dict[str, np.ndarray]:
        manifest, table = self.atlas.manifest, self.atlas.neurons
        rows = {place: row for row, place in enumerate(zip(table["layer"], table["index"], strict=True))}
        featured = [
            [rows[choice.neuron.layer, choice.neuron.index], choice.rule] for choice in showcase.featured(self.atlas)
        ]
        described = [{"name": "max_activation", "label": "maximum activation", "scale": 1}]
        described += [{"name": n, "label": label, "scale": s, "shift": t} for n, (label, s, t) in METRICS.items()]
        about = {
            "model": manifest.model,
            "corpus": manifest.corpus,
            "n_contexts": manifest.n_contexts,
            "layers": list(manifest.layers),
            "d_mlp": manifest.d_mlp,
            "per_shard": PER_SHARD,
            "threshold": manifest.threshold,
            "max_examples": manifest.max_examples,
            "embedding": manifest.embedding,
            "kinds": [manifest.embedding, "pre_mlp"],
            "length": manifest.length,
            "n_features": len(self.features),
            "metrics": sorted(described, key=lambda metric: list(table.columns).index(str(metric["name"]))),
            "featured": featured,
            "phrases": [],
        }
        largest = table["max_activation"].to_numpy(np.float64)
        with np.errstate(divide="ignore"):
            exponent = np.floor(np.log10(np.abs(largest), where=largest != 0, out=np.zeros_like(largest)))
        step = 10.0 ** (exponent - 2)
        arrays = {"json": as_text(about), "max_activation": (np.rint(largest / step) * step).astype(np.float32)}
        return arrays | {name: _whole(table[name], scale, shift) for name, (_, scale, shift) in METRICS.items()}

    def _vocabulary(self, _: int) -> dict[str, np.ndarray]:
        return {"json": as_text({"tokens": [display_token(text) for text in self.vocabulary["text"]]})}

    def _features(self, _: int) -> dict[str, np.ndarray]:
        return {
            "counts": self._counts.astype(np.uint16),
            "size": self.features["size"].to_numpy(np.uint16),
            "token": self.text.place[self.features["key_id"]],
        }

    def _neurons(self, number: int) -> dict[str, np.ndarray]:
        atlas, d_mlp = self.atlas, self.atlas.manifest.d_mlp
        rows = range(number * PER_SHARD, min((number + 1) * PER_SHARD, self.n_neurons))
        neurons = [atlas.neuron(atlas.layers[row // d_mlp], row % d_mlp) for row in rows]
        return neuron_arrays(neurons, self.text, atlas.manifest.threshold, self.importance)

    @cached_property
    def vocabulary(self) -> pd.DataFrame:
        """`id` and `text` of every token of the contexts; a token's row is its place in the explorer's vocabulary."""
        return read_table(self.atlas.path / VOCABULARY)

    @cached_property
    def text(self) -> Text:
        """The contexts as places in the vocabulary."""
        ids = self.vocabulary["id"].to_numpy()
        place = np.zeros(int(ids.max()) + 1, dtype=np.uint16 if len(ids) <= 1 << 16 else np.uint32)
        place[ids] = np.arange(len(ids))
        return Text(self.atlas.tokens, place)

    @cached_property
    def features(self) -> pd.DataFrame:
        """The features of all neurons; a feature's row is its number."""
        return features_of(self.atlas, progress=False)

    @cached_property
    def importance(self) -> Importance:
        """Token importance, of the examples of which it is known."""
        return {}

    @cached_property
    def _counts(self) -> np.ndarray:
        """(n_neurons,) features of each."""
        layer = np.searchsorted(self.atlas.layers, self.features["layer"])
        return np.bincount(layer * self.atlas.manifest.d_mlp + self.features["index"], minlength=self.n_neurons)


def as_text(values: Any) -> np.ndarray:
    """JSON in UTF-8, as an array."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return np.frombuffer(text.encode(), dtype=np.uint8)


def _whole(column: pd.Series, scale: float, shift: float) -> np.ndarray:
    values = column.to_numpy(np.float64)
    numbers = np.rint((values - shift) / scale)
    return np.where(np.isnan(values), NONE, numbers).astype(np.uint16)
