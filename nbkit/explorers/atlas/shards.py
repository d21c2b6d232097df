"""The data of the atlas explorer in shards, which the browser asks for by name when it needs them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.manifest import Manifest
from nbkit.atlas.pieces import pieces
from nbkit.atlas.snippets import display_token
from nbkit.errors import NbkitError
from nbkit.explorers.atlas.image_shard import ShownImages
from nbkit.explorers.atlas.likeness import likeness_of
from nbkit.explorers.atlas.medoid_shard import medoid_arrays, medoid_places
from nbkit.explorers.atlas.neuron_shard import Importance, Text, neuron_arrays, rounded
from nbkit.explorers.atlas.sent_metrics import SENT_METRICS, as_whole_numbers, sent_splits, sent_table
from nbkit.explorers.atlas.sites import sites_of
from nbkit.explorers.shared.packing import Layout, pack
from nbkit.features import showcase
from nbkit.features.agreement import agreement_of
from nbkit.features.coordinates import coordinates_of
from nbkit.features.importance import kept_importance
from nbkit.features.neighbors import Neighbors, neighbor_kinds, neighbors_of
from nbkit.features.one_word import one_word_splits
from nbkit.features.phrases import phrases_of
from nbkit.features.table import features_of
from nbkit.files import parts
from nbkit.method.metrics import METRIC_TITLES
from nbkit.models.sign import Sign
from nbkit.models.token_bytes import LONE

PER_SHARD = 16
"""Neurons in a shard."""
PER_MEDOID_SHARD = 64
"""Neurons in a shard of medoids: a list of any order asks for one a row."""
COSINE_STEP = 0.005
"""To which similarities are rounded."""
PHRASE_BYTES = 300_000
"""Of the phrases and features in one shard, before they are compressed."""

MAXIMUM_TITLES: dict[Sign, str] = {
    "positive": "maximum activation",
    "negative": "farthest below zero",
    "both": "farthest from zero",
}
"""What the explorer calls the maximum, which is of strengths, by what an atlas was scanned for."""


class AtlasShards:
    """Makes any shard of an atlas. A shard is what `pack` gives; `json` in it is text."""

    def __init__(self, atlas: Atlas) -> None:
        self.atlas = atlas
        self.n_neurons = atlas.n_neurons

    def names(self) -> list[str]:
        """The names of all shards."""
        n = -(-self.n_neurons // PER_SHARD)
        of_medoids = -(-self.n_neurons // PER_MEDOID_SHARD)
        numbered = {"neurons": n, "similar": n, "medoids": of_medoids, "phrases": len(self._phrase_starts) - 1}
        if self.images is not None:
            numbered["images"] = self.images.n_shards
        names = (f"{kind}-{number:05d}" for kind, count in numbered.items() for number in range(count))
        return ["overview", "vocabulary", "features", *names]

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
            "similar": self._similar,
            "medoids": self._medoids,
            "phrases": self._phrases,
            "images": self._images,
        }
        return pack(make[kind](int(number or 0)))

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.names())

    def _overview(self, _: int) -> dict[str, np.ndarray]:
        manifest, table = self.atlas.manifest, sent_table(self.atlas)
        rows = {place: row for row, place in enumerate(zip(table["layer"], table["index"], strict=True))}
        featured = [
            [rows[choice.neuron.layer, choice.neuron.index], choice.rule] for choice in showcase.featured(self.atlas)
        ]
        described = [{"name": "max_activation", "label": MAXIMUM_TITLES[manifest.sign], "scale": 1}]
        described += [
            {"name": n, "label": METRIC_TITLES[n], "scale": s, "shift": t} for n, (s, t) in SENT_METRICS.items()
        ]
        about = {
            "id": _identity(manifest),
            "model": manifest.model_title,
            "corpus": manifest.corpus,
            "n_contexts": manifest.n_contexts,
            "sites": sites_of(manifest),
            "per_shard": PER_SHARD,
            "per_medoid_shard": PER_MEDOID_SHARD,
            "sign": manifest.sign,
            "threshold": manifest.threshold,
            "max_examples": manifest.max_examples,
            "embedding": manifest.embedding,
            "cuts": [self.atlas.cut(layer) for layer in self.atlas.layers],
            **likeness_of(self.atlas),
            "length": manifest.length,
            "n_features": len(self.features),
            "metrics": sorted(described, key=lambda metric: list(table.columns).index(str(metric["name"]))),
            "featured": featured,
            "phrases": self.phrases["phrase"].iloc[self._phrase_starts[:-1]].tolist(),
        }
        if manifest.inputs == "text":
            about["splits"] = sent_splits(self.atlas)
        else:
            about["inputs"] = manifest.inputs
        if self.images is not None:
            about["images"] = self.images.about
        arrays = {"json": as_text(about), "max_activation": rounded(table["max_activation"].to_numpy())}
        arrays |= {name: as_whole_numbers(table[name], scale, shift) for name, (scale, shift) in SENT_METRICS.items()}
        return arrays if self.images is None else arrays | self.images.places

    def _vocabulary(self, _: int) -> dict[str, np.ndarray]:
        raw = [self.atlas.raw_texts[token] for token in self.vocabulary["id"]]
        shown = [display_token(text) for text in raw]
        others = {place: text for place, text in enumerate(raw) if text != shown[place]}
        return {"json": as_text({"tokens": shown, "raw": others})}

    def _features(self, _: int) -> dict[str, np.ndarray]:
        return {
            "counts": self._counts.astype(np.uint16),
            "size": self.features["size"].to_numpy(np.uint16),
            "token": self.text.place[self.features["key_id"]],
            "json": as_text({"spelled": self._spelled()}),
        }

    def _spelled(self) -> dict[int, str]:
        """Of each feature whose most frequent key token is a part of a character, one that it has a part in."""
        parts = {token for token, text in self.atlas.raw_texts.items() if LONE.search(text)}
        columns = self.features[self.features["key_id"].isin(parts)][["layer", "index", "medoid", "key_id"]]
        spelled = {}
        for feature, layer, index, medoid, key_id in columns.itertuples():
            neuron = self.atlas.neuron(layer, index)
            example = medoid if neuron.key_ids[medoid] == key_id else np.flatnonzero(neuron.key_ids == key_id)[0]
            texts, key = neuron.snippet_tokens[example]
            spelled[int(feature)] = next(piece.text for piece in pieces(texts, key) if piece.first <= key <= piece.last)
        return spelled

    def _neurons(self, number: int) -> dict[str, np.ndarray]:
        rows = range(number * PER_SHARD, min((number + 1) * PER_SHARD, self.n_neurons))
        neurons = [self.atlas.neuron(*self.atlas.at(row)) for row in rows]
        return neuron_arrays(neurons, self.text, self.atlas.manifest.threshold, self.importance)

    def _medoids(self, number: int) -> dict[str, np.ndarray]:
        rows = range(number * PER_MEDOID_SHARD, min((number + 1) * PER_MEDOID_SHARD, self.n_neurons))
        neurons = [self.atlas.neuron(*self.atlas.at(row)) for row in rows]
        starts = np.concatenate([[0], self._counts.cumsum()])
        features = self.features.iloc[starts[rows.start] : starts[rows.stop]]
        arrays = medoid_arrays(neurons, features, self.text)
        return arrays if self.images is None else arrays | medoid_places(neurons, features)

    def _images(self, number: int) -> dict[str, np.ndarray]:
        assert self.images is not None
        return self.images.shard(number)

    def _similar(self, number: int) -> dict[str, np.ndarray]:
        starts = np.concatenate([[0], self._counts.cumsum()])
        rows = slice(starts[number * PER_SHARD], starts[min((number + 1) * PER_SHARD, self.n_neurons)])
        single = self.features["size"].to_numpy()[rows] == 1  # one nearest has to do: most features are of this kind
        arrays: dict[str, np.ndarray] = {}
        for i, near in enumerate(self.neighbors):
            feature, cosine = near.feature[rows].copy(), np.rint((near.cosine[rows] + 1) / COSINE_STEP) * COSINE_STEP
            feature[single, :, 1:] = -1
            cosine[feature == -1] = 0
            arrays[f"feature_{i}"] = feature.astype(np.uint32).ravel()  # -1 becomes the largest number
            arrays[f"cosine_{i}"] = np.rint(cosine * 10_000).astype(np.uint16).ravel()
        return arrays

    def _phrases(self, number: int) -> dict[str, np.ndarray]:
        table = self.phrases.iloc[self._phrase_starts[number] : self._phrase_starts[number + 1]]
        first = np.flatnonzero(table["phrase"] != table["phrase"].shift())
        return {
            "json": as_text({"phrases": table["phrase"].iloc[first].tolist()}),
            "start": np.append(first, len(table)).astype(np.uint32),
            "feature": table["feature"].to_numpy(np.uint32),
            "count": table["count"].to_numpy(np.uint16),
        }

    @cached_property
    def images(self) -> ShownImages | None:
        """The images that are shown, of an atlas of images."""
        images = self.atlas.images
        return None if images is None else ShownImages(self.atlas, images)

    @cached_property
    def vocabulary(self) -> pd.DataFrame:
        """Every known token (see `Atlas.vocabulary`); its row is its place in the explorer's vocabulary.

        The most frequent come first: many small numbers take less room.
        """
        table = self.atlas.vocabulary
        count = np.zeros(int(table["id"].max()) + 1, dtype=np.int64)
        for part in parts(self.atlas.tokens):
            count += np.bincount(part.ravel(), minlength=len(count))
        return table.iloc[np.argsort(-count[table["id"]], kind="stable")]

    @cached_property
    def text(self) -> Text:
        """The contexts as places in the vocabulary."""
        ids = self.vocabulary["id"].to_numpy()
        place = np.zeros(int(ids.max()) + 1, dtype=f"uint{16 if len(ids) <= 1 << 16 else 32}")
        place[ids] = np.arange(len(ids))
        return Text(self.atlas.tokens, place)

    @cached_property
    def features(self) -> pd.DataFrame:
        """The features of all neurons; a feature's row is its number."""
        return features_of(self.atlas, progress=False)

    @cached_property
    def neighbors(self) -> list[Neighbors]:
        """Similar features, in each of `neighbor_kinds`."""
        return [neighbors_of(self.atlas, kind, progress=False) for kind in neighbor_kinds(self.atlas)]

    @cached_property
    def phrases(self) -> pd.DataFrame:
        """The index of phrases."""
        return phrases_of(self.atlas, progress=False)

    @cached_property
    def importance(self) -> Importance:
        """Token importance, of the examples of which it is kept."""
        return kept_importance(self.atlas)

    @cached_property
    def _phrase_starts(self) -> np.ndarray:
        """The rows at which the shards of phrases begin, and how many rows there are. A phrase is in one shard."""
        first = np.flatnonzero(self.phrases["phrase"] != self.phrases["phrase"].shift())
        size = self.phrases["phrase"].iloc[first].str.len().to_numpy() + 6 * np.diff(first, append=len(self.phrases))
        shard = (size.cumsum() - size) // PHRASE_BYTES
        return np.append(first[np.flatnonzero(np.diff(shard, prepend=-1))], len(self.phrases))

    @cached_property
    def _counts(self) -> np.ndarray:
        """(n_neurons,) features of each."""
        rows = self.atlas.rows(self.features["layer"], self.features["index"])
        return np.bincount(rows, minlength=self.n_neurons)


def make_parts(atlas: Atlas, progress: bool = True) -> None:
    """Make what the shards are made from, if it is not in the atlas's folder yet; with progress bars."""
    atlas.metrics(neighbor_kinds(atlas)[1], progress)  # some of the featured neurons are chosen by it
    features_of(atlas, progress)
    coordinates_of(atlas, progress)
    if atlas.manifest.inputs == "text":
        one_word_splits(atlas)
    agreement_of(atlas, progress)  # and the neighbors that it is about
    phrases_of(atlas, progress)


def _identity(manifest: Manifest) -> str:
    """What makes neurons and their clusters what they are, as a short text: notes on one atlas fit no other."""
    known = [
        *(manifest.model_sha256, manifest.contexts_sha256, manifest.layers),
        *(manifest.threshold, manifest.max_examples, manifest.weights, manifest.embedding),
        *(site.sha256 for site in manifest.sites if site.sha256),
        *([] if manifest.sign == "positive" else [manifest.sign]),
    ]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]


def as_text(values: Any) -> np.ndarray:
    """JSON in UTF-8, as an array; a surrogate of a raw text (see `token_bytes`) is spelled out."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return np.frombuffer(text.encode(errors="backslashreplace"), dtype=np.uint8)
