"""The shards of an atlas: decoded again they are the atlas's data, whichever side asks for them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from nbkit.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.explorers.atlas_shards import PER_SHARD, AtlasShards
from nbkit.explorers.dendrogram import node_medoids
from nbkit.explorers.packing import Layout


def unpacked(layout: Layout, packed: bytes) -> dict[str, Any]:
    """The arrays of a shard, its text read."""
    raw = zlib.decompress(packed)
    arrays: dict[str, Any] = {
        name: np.frombuffer(raw, dtype=kind, offset=start, count=int(np.prod(shape))).reshape(shape)
        for name, (kind, start, shape) in layout.items()
    }
    if "json" in arrays:
        arrays["json"] = json.loads(arrays["json"].tobytes())
    return arrays


class Reader:
    """Takes parts of flat arrays one after another."""

    def __init__(self, arrays: dict[str, Any]) -> None:
        self.arrays, self.at = arrays, dict.fromkeys(arrays, 0)

    def take(self, name: str, n: int) -> np.ndarray:
        """The next `n` of an array."""
        start = self.at[name]
        self.at[name] += n
        part: np.ndarray = self.arrays[name][start : start + n]
        assert len(part) == n
        return part

    def examples(self, prefix: str, n: int, scale: float) -> Iterator[tuple[list[int], np.ndarray, dict[str, float]]]:
        """The next `n` examples: tokens, activations, and the rest by name."""
        names = ("length", "key", "context", "position", "peak")
        columns = {name: self.take(prefix + name, n) for name in names}
        for i in range(n):
            length = int(columns["length"][i])
            tokens = self.take(f"{prefix}tokens", length).tolist()
            activations = self.take(f"{prefix}windows", length) * np.float64(scale)
            yield tokens, activations, {name: values[i].item() for name, values in columns.items()}

    def check_end(self) -> None:
        """Nothing is left over."""
        assert {name: len(array) for name, array in self.arrays.items()} == self.at


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_a_shard_of_neurons_is_decoded_to_their_data(architecture: str, tiny_atlas: Callable[[str], Atlas]) -> None:
    atlas = tiny_atlas(architecture)
    shards = AtlasShards(atlas)
    vocabulary = unpacked(*shards.shard("vocabulary"))["json"]["tokens"]
    neurons = [neuron for layer in atlas.layers for neuron in atlas.iterate(layer)]
    names = [name for name in shards.names() if name.startswith("neurons-")]
    for name, start in zip(names, range(0, len(neurons), PER_SHARD), strict=True):
        reader = Reader(unpacked(*shards.shard(name)))
        for neuron in neurons[start : start + PER_SHARD]:
            assert reader.take("n", 1) == len(neuron)
            assert reader.take("max", 1) == np.float32(neuron.max_activation)
            [scale] = reader.take("scale", 1)
            assert reader.take("important", 1) == 0
            examples = list(reader.examples("", len(neuron), scale))
            for (tokens, activations, rest), snippet, peak in zip(examples, neuron.snippets, neuron.peak, strict=True):
                assert [vocabulary[token] for token in tokens] == list(snippet.tokens)
                assert np.allclose(activations, snippet.activations, rtol=0, atol=0.51 * scale)
                assert rest == {
                    "length": len(snippet.tokens),
                    "key": snippet.key,
                    "context": snippet.context,
                    "position": snippet.position,
                    "peak": peak,
                }
            tree = neuron.clusters()
            assert np.array_equal(reader.take("pairs", 2 * len(tree.linkage)), tree.linkage[:, :2].ravel())
            assert np.allclose(reader.take("heights", len(tree.linkage)), tree.linkage[:, 2], rtol=1e-7)
            assert reader.take("medoids", len(tree.linkage)).tolist() == node_medoids(tree)
            assert reader.take("levels", 1) == len(neuron.levels)
            for band in neuron.levels:
                edges = [reader.take(name, 1)[0] for name in ("low", "high", "count")]
                assert edges == [np.float32(band.low), np.float32(band.high), band.count]
                weak = np.flatnonzero(band.peak < atlas.manifest.threshold * neuron.max_activation)
                [shown] = reader.take("shown", 1)
                assert shown == len(weak)
                shown_examples = reader.examples("level_", shown, scale)
                for (tokens, activations, rest), i in zip(shown_examples, weak, strict=True):
                    position = int(band.position[i])
                    first, last = max(0, position - 20), position + 11
                    ids = atlas.tokens[band.context[i], first:last]
                    assert [vocabulary[token] for token in tokens] == atlas.token_strings(ids)
                    window = band.window[i][20 - (position - first) :][: len(ids)]
                    assert np.allclose(activations, window, rtol=0, atol=0.51 * scale)
                    assert (rest["context"], rest["position"]) == (band.context[i], position)
                    assert (rest["key"], rest["peak"]) == (position - first, band.peak[i])
        reader.check_end()


def test_an_unknown_shard_is_refused(tiny_atlas: Callable[[str], Atlas]) -> None:
    shards = AtlasShards(tiny_atlas("gpt2"))
    for name in ("neurons-99999", "neurons-1", "../atlas", "", "overview-00000"):
        with pytest.raises(NbkitError, match="no part"):
            shards.shard(name)
