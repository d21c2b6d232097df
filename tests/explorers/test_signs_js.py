"""Activations below zero, and quadrants of gated neurons, as the browser takes them, run under Node.js."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.quadrants import QUADRANTS
from nbkit.explorers import DendrogramExplorer, LiveNeuron
from nbkit.explorers.atlas.neuron_shard import NO_QUADRANT, neuron_arrays
from nbkit.explorers.atlas.shards import AtlasShards, _identity
from nbkit.explorers.shared.bundle import EXPLORERS_FOLDER, module_text
from nbkit.models.sign import SIGNS, Sign, strength
from tests.browser.node import run_module
from tests.examples.packed import opened
from tests.explorers.test_atlas_js import evaluate

READ = """
const found = [];
for (const [layout, text] of data.shards) {
  const shard = await unpack(layout, Buffer.from(text, 'base64'));
  for (let place = 0; place < shard.n.length; place++) {
    const { activations, quadrants, sign, largest, levels, stronger } = neuronData(shard, place, data.words);
    const first = levels.map(({ data: some }) => some.activations.map((each, i) => [some.sign, each[some.keys[i]]]));
    const names = quadrants && Array.from(quadrants, (number) => QUADRANTS[number]);
    found.push([activations.map((each) => Array.from(each)), names, sign, largest, first.flat(), stronger.sign]);
  }
}
console.log(JSON.stringify(found));
"""


def read(atlas: Atlas) -> list[Any]:
    """Of each neuron what the browser reads of its activations."""
    shards = AtlasShards(atlas)
    names = [name for name in shards.names() if name.startswith("neurons-")]
    packed = [(layout, base64.b64encode(body).decode()) for layout, body in map(shards.shard, names)]
    overview, vocabulary = (opened(*shards.shard(name))[1] for name in ("overview", "vocabulary"))
    data = {"shards": packed, "words": vocabulary | {"sign": overview["sign"]}}
    packing = (EXPLORERS_FOLDER / "shared/packing.js").read_text(encoding="utf-8")
    found: list[Any] = json.loads(
        run_module(f"{module_text('atlas/atlas-data.js')}{packing}const data = {json.dumps(data)};{READ}")
    )
    return found


@pytest.mark.parametrize(("architecture", "sign"), [("llama", "both"), ("gpt2", "negative"), ("llama", "positive")])
def test_the_browser_has_activations_with_their_signs_and_quadrants(
    architecture: str, sign: Sign, signed_atlas: Callable[[str, Sign], Atlas]
) -> None:
    atlas = signed_atlas(architecture, sign)
    neurons = [neuron for layer in atlas.layers for neuron in atlas.iterate(layer)]
    below = 0
    for neuron, (activations, quadrants, its, largest, lower, others) in zip(neurons, read(atlas), strict=True):
        assert {its, others} == {sign} == {sign, *(each for each, _ in lower)}
        assert largest == pytest.approx(neuron.max_activation)
        windows = [neuron.window, neuron.strongest.window, *(level.window for level in neuron.levels)]
        farthest = max(np.abs(window).max(initial=0) for window in windows)
        for values, snippet in zip(activations, neuron.snippets, strict=True):
            assert values[snippet.key] == pytest.approx(snippet.activations[snippet.key])
            assert np.allclose(values, snippet.activations, rtol=0, atol=farthest / 120)
        for _, peak in lower:
            assert 0 < strength(peak, sign) < atlas.manifest.threshold * neuron.max_activation
        below += sum(peak < 0 for peak in neuron.peak)
        assert quadrants == (neuron.quadrants.tolist() if architecture == "llama" and len(neuron) else None)
    assert (below > 0) == (sign != "positive")


def test_plain_and_gated_neurons_may_share_a_shard(signed_atlas: Callable[[str, Sign], Atlas]) -> None:
    gated, plain = (signed_atlas(architecture, "positive") for architecture in ("llama", "gpt2"))
    neurons = [gated.neuron(0, 0), plain.neuron(0, 0), gated.neuron(0, 1)]
    assert all(len(neuron) for neuron in neurons)
    arrays = neuron_arrays(neurons, AtlasShards(gated).text, 0.75, {})
    [first, none, last] = np.split(arrays["quadrant"], np.cumsum([len(neuron) for neuron in neurons])[:2])
    for numbers, neuron in ((first, neurons[0]), (last, neurons[2])):
        assert [QUADRANTS[number] for number in numbers] == neuron.quadrants.tolist()
    assert none.tolist() == [NO_QUADRANT] * len(neurons[1])


def test_strengths_are_those_of_the_atlas() -> None:
    values = [-2.0, 0.0, 0.5]
    found = evaluate(
        "shared/sign.js",
        "return data.signs.map((s) => data.values.map((v) => strength(v, s)));",
        {"signs": SIGNS, "values": values},
    )
    assert found == [[strength(value, sign) for value in values] for sign in SIGNS]


def test_of_tokens_that_are_shown_as_one_the_strongest_counts() -> None:
    script = "return data.signs.map((s) => pieceValue({ keys: [9] }, 0, { first: 0, last: 2 }, [-2, 0.1, 0.5], s));"
    assert evaluate("shared/snippets.js", script, {"signs": SIGNS}) == [0.5, -2, -2]
    assert (
        evaluate("shared/snippets.js", "return largestStrength(data);", {"activations": [[1, -3]], "sign": "both"}) == 3
    )


def test_a_cluster_tells_its_quadrants_where_some_are_not_the_usual_one() -> None:
    quadrants = [0, 0, 0, 3, 3, 0, 0]
    script = "return data.of.map((examples) => unlikeTheRest({ quadrants: data.quadrants }, examples));"
    of = [[0, 1, 2], [3, 4], [2, 5, 6, 3]]
    found = evaluate("shared/quadrants.js", script, {"quadrants": quadrants, "of": of})
    assert found == [None, "gate− up− 100%", "gate+ up+ 75%, gate− up− 25%"]
    script = "return [quadrantShares(data, [...data.keys()]), unlikeTheRest({ quadrants: null }, [0])];"
    assert evaluate("shared/quadrants.js", script, quadrants) == ["gate+ up+ 71%, gate− up− 29%", None]
    assert evaluate("shared/quadrants.js", "return QUADRANTS;", None) == list(QUADRANTS)


def test_the_overview_says_what_is_looked_for(signed_atlas: Callable[[str, Sign], Atlas]) -> None:
    atlases = [signed_atlas("llama", sign) for sign in SIGNS]
    overviews = [opened(*AtlasShards(atlas).shard("overview"))[1] for atlas in atlases]
    assert [about["sign"] for about in overviews] == list(SIGNS)
    labels = [{m["name"]: m["label"] for m in about["metrics"]}["max_activation"] for about in overviews]
    assert labels == ["maximum activation", "farthest below zero", "farthest from zero"]
    assert len({about["id"] for about in overviews}) == len({_identity(atlas.manifest) for atlas in atlases}) == 3, (
        "notes on one side are not shown on another"
    )


def test_one_neuron_is_shown_on_both_sides(signed_atlas: Callable[[str, Sign], Atlas]) -> None:
    neuron = max(signed_atlas("llama", "both").iterate(1), key=lambda each: (each.peak < 0).sum() * len(each))
    for explorer in (DendrogramExplorer, LiveNeuron):
        data = json.loads(explorer(neuron).data)
        assert data["sign"] == "both"
        peaks = [values[key] for values, key in zip(data["activations"], data["keys"], strict=True)]
        assert peaks == pytest.approx(neuron.peak, rel=0.01) and min(peaks) < 0


JUDGE = """
const said = data.found.map(({ sign, ...found }) => {
  const view = { unit: "neuron", data: { sign }, explorer: { overview: { threshold: 0.75 } } };
  const own = { found: { ...found, distances: null, key: "word" }, view, clusters: { replaceChildren() {} }, said: {} };
  OwnText.prototype.judge.call(own);
  return own.said.textContent;
});
return said;
"""


def test_a_text_of_ones_own_is_active_on_the_side_that_is_looked_for() -> None:
    found: list[dict[str, Any]] = [
        {"sign": "negative", "activation": -2, "share": 0.8, "quadrant": "gate- up+"},
        {"sign": "negative", "activation": 2, "share": -0.8},
        {"sign": "both", "activation": -2, "share": 0.5},
        {"sign": "positive", "activation": -2, "share": -0.5},
    ]
    assert evaluate("atlas/own-text.js", JUDGE, {"found": found}) == [
        "Strongest on “word”: −2, 80% of its lowest activation (as strong as a dataset example), gate− up+.",
        "The neuron is not active below zero on this text: at least 2, on “word”.",
        "Strongest on “word”: −2, 50% of its activation farthest from zero (dataset examples have at least 75%).",
        "The neuron is not active on this text: at most −2, on “word”.",
    ]
