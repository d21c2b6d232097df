"""The shards of medoids: decoded again, by either side, they are the medoids of the atlas's features."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import numpy as np
import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.explorers.atlas.medoid_shard import AROUND_MEDOID, MEDOID_STEPS
from nbkit.explorers.atlas.shards import AtlasShards
from nbkit.explorers.shared.bundle import EXPLORERS_FOLDER, module_text
from nbkit.features.table import features_of
from nbkit.models.sign import Sign
from tests.browser.node import run_module
from tests.examples.packed import opened
from tests.examples.tiny_models import PRUNED

READ = """
const found = [];
for (const [layout, text] of data.shards) {
  const shard = await unpack(layout, Buffer.from(text, 'base64'));
  for (let place = 0; place < shard.counts.length; place++) {
    const { sizes, tokens, activations, keys, largest } = medoidsOf(shard, place, data.words);
    const texts = tokens.map((each) => Array.from(each, (token) => data.words.tokens[token]));
    found.push([sizes, texts, activations.map((each) => Array.from(each, (value) => value / largest)), keys]);
  }
}
console.log(JSON.stringify(found));
"""


def read(atlas: Atlas) -> list[list[list]]:  # type: ignore[type-arg]
    """Of each neuron what the browser reads: sizes, tokens, activations as a share of the key token's, key tokens."""
    shards = AtlasShards(atlas)
    names = [name for name in shards.names() if name.startswith("medoids-")]
    packed = [(layout, base64.b64encode(body).decode()) for layout, body in map(shards.shard, names)]
    data = {"shards": packed, "words": opened(*shards.shard("vocabulary"))[1]}
    packing = (EXPLORERS_FOLDER / "shared/packing.js").read_text(encoding="utf-8")
    script = f"{module_text('atlas/medoid-data.js')}{packing}const data = {json.dumps(data)};{READ}"
    found: list[list[list]] = json.loads(run_module(script))  # type: ignore[type-arg]
    return found


@pytest.mark.parametrize(
    ("architecture", "sign"), [("gpt2", "positive"), ("llama", "positive"), ("gpt2", "negative"), ("llama", "both")]
)
def test_the_browser_reads_the_medoids_of_every_neuron(
    architecture: str, sign: Sign, signed_atlas: Callable[[str, Sign], Atlas], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbkit.explorers.atlas.shards.PER_MEDOID_SHARD", 50)
    atlas = signed_atlas(architecture, sign)
    found = read(atlas)
    assert len(found) == len(atlas.neurons)
    features = features_of(atlas).set_index(["layer", "index"])
    for (sizes, texts, activations, keys), neuron in zip(
        found, (neuron for layer in atlas.layers for neuron in atlas.iterate(layer)), strict=True
    ):
        its = features.loc[[(neuron.layer, neuron.index)]] if len(neuron) else features.iloc[:0]
        assert sizes == its["size"].tolist()
        for medoid, tokens, shares, key in zip(its["medoid"], texts, activations, keys, strict=True):
            snippet = neuron.snippets[medoid]
            first = max(0, snippet.key + AROUND_MEDOID[0])
            last = snippet.key + AROUND_MEDOID[-1] + 1
            assert key == snippet.key - first
            assert tokens == list(snippet.tokens[first:last])
            exact = np.array(snippet.activations[first:last]) / abs(neuron.peak[medoid])
            exact = exact.clip(0 if sign == "positive" else None, 0 if sign == "negative" else None)
            assert np.allclose(shares, exact, rtol=0, atol=0.51 / MEDOID_STEPS)
            assert shares[key] == np.sign(neuron.peak[medoid])


def test_a_neuron_without_features_has_none(pruned_atlas: Atlas) -> None:
    sizes, *rest = read(pruned_atlas)[PRUNED]
    assert sizes == [] and rest == [[], [], []]
