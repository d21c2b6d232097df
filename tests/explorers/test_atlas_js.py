"""The atlas explorer's pure functions, run under Node.js: addresses and the search by phrase."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest

from nbkit.explorers.shared.bundle import module_text
from tests.browser.node import run_module


def evaluate(module: str, script: str, data: object) -> Any:
    """What a script that sees `data` makes with the functions of a module."""
    text = f"{module_text(module)}\nconst data = JSON.parse({json.dumps(json.dumps(data))});\n"
    return json.loads(run_module(f"{text}console.log(JSON.stringify(await (async () => {{ {script} }})()));"))


PLACES = [
    {"layer": 7, "index": 123, "threshold": 0.5, "cluster": None, "shade": "activation", "kind": None},
    {"layer": 0, "index": 0, "threshold": 0.42, "cluster": None, "shade": "activation", "kind": None},
    {"layer": 29, "index": 1535, "threshold": 1, "cluster": 12, "shade": "importance", "kind": "pre_mlp"},
    {"layer": 3, "index": 7, "threshold": 0.01, "cluster": 1, "shade": "activation", "kind": None},
    {"layer": 3, "index": 7, "threshold": 0.4555, "cluster": None, "shade": "activation", "kind": None},
    {"layer": 3, "index": 7, "threshold": 0.001, "cluster": None, "shade": "activation", "kind": None},
]


def test_an_address_names_its_place() -> None:
    addresses = evaluate("atlas/atlas-links.js", "return data.map((place) => addressOf(place));", PLACES)
    assert addresses == [
        "#L7N123",
        "#L0N0&t=0.42",
        "#L29N1535&t=1&c=12&color=importance&by=pre_mlp",
        "#L3N7&t=0.01&c=1",
        "#L3N7&t=0.4555",
        "#L3N7&t=0.001",
    ]
    assert evaluate("atlas/atlas-links.js", "return data.map((address) => placeIn(address));", addresses) == PLACES


def test_an_address_keeps_what_was_asked() -> None:
    asked = {"metric": "max_distance", "order": "smallest", "silhouette": "0.4..", "find": "R&D = 100% a+b <b>"}
    asked |= {"with": "L3N5", "view": "card"}
    address = evaluate(
        "atlas/atlas-links.js", "return addressOf(data.place, data.asked);", {"place": PLACES[2], "asked": asked}
    )
    assert address.startswith("#L29N1535&t=1&c=12&color=importance&by=pre_mlp&metric=max_distance&order=smallest")
    assert " " not in address and "<" not in address
    assert evaluate("atlas/atlas-links.js", "return [askedIn(data), placeIn(data)];", address) == [asked, PLACES[2]]
    odd = ["", "#", "#L7N123", "#L7N123&metric=&find", "#L7N123&t=0.4&c=2&color=x&by=y"]
    assert evaluate("atlas/atlas-links.js", "return data.map(askedIn);", odd) == [{}] * len(odd)
    assert evaluate("atlas/atlas-links.js", "return askedIn(data);", "#L7N123&find=100%") == {"find": "100%"}


@pytest.mark.parametrize("address", ["", "#", "#further-reading", "#L7", "#N7", "#L7N", "#LxN3", "#L-1N3", "#L7N12x"])
def test_an_address_of_something_else_names_no_place(address: str) -> None:
    assert evaluate("atlas/atlas-links.js", "return placeIn(data);", address) is None


@pytest.mark.parametrize(
    "address",
    ["#L7N123&t=0", "#L7N123&t=-1", "#L7N123&t=1.5", "#L7N123&t=x", "#L7N123&c=0", "#L7N123&c=1.5&q", "#L7N123&"],
)
def test_what_an_address_cannot_mean_is_as_usual(address: str) -> None:
    assert evaluate("atlas/atlas-links.js", "return placeIn(data);", address) == PLACES[0]


def test_a_neuron_is_named_in_any_usual_way() -> None:
    names = [
        "L7 N123",
        "l7n123",
        "7 123",
        "7.123",
        "7/123",
        " L7, N123 ",
        "7:123",
        "L7N123",
        "Layer 7, neuron 123",
        "layer 7 neuron 123",
    ]
    for found in evaluate("atlas/atlas-links.js", "return data.map(neuronIn);", names):
        assert found == {"layer": 7, "index": 123}
    names = ["S7 #123", "7 #123", "s7#123", "7#123", "S7, latent 123", "S7 (blocks.2.hook_resid_post), latent 123"]
    for found in evaluate("atlas/atlas-links.js", "return data.map(neuronIn);", names):
        assert found == {"layer": 7, "index": 123}
    words = ["", "said", "7", "L7", "1984", "7 up", "in 1960", "7123", "L7 N123 N4", "S7", "#123", "S7 #", "s7123"]
    assert evaluate("atlas/atlas-links.js", "return data.map(neuronIn);", words) == [None] * len(words)


Index = list[tuple[str, list[tuple[int, int]]]]


def random_index(rng: random.Random) -> tuple[Index, list[dict[str, Any]]]:
    """Phrases with their postings in the order of code points, and the same cut into shards at random places."""
    alphabet = "ab é\uffee😀"  # the last two are in another order by UTF-16 units
    phrases = sorted(
        {"".join(rng.choices(alphabet, k=rng.randint(1, 4))).strip() for _ in range(rng.randint(1, 60))} - {""}
    )
    index = [(p, [(rng.randrange(1000), rng.randrange(1, 50)) for _ in range(rng.randint(1, 4))]) for p in phrases]
    cuts = sorted({0, *(rng.randrange(len(index) + 1) for _ in range(rng.randint(0, 4)))} - {len(index)})
    shards = []
    for first, last in zip(cuts, [*cuts[1:], len(index)], strict=True):
        part = index[first:last]
        starts = [0]
        for _, postings in part:
            starts.append(starts[-1] + len(postings))
        shards.append(
            {
                "phrases": [phrase for phrase, _ in part],
                "start": starts,
                "feature": [feature for _, postings in part for feature, _ in postings],
                "count": [count for _, postings in part for _, count in postings],
            }
        )
    return index, shards


SEARCH = """
const results = [];
for (const { shards, queries } of data) {
  const load = async (i) => ({ json: { phrases: shards[i].phrases }, start: Uint32Array.from(shards[i].start),
    feature: Uint32Array.from(shards[i].feature), count: Uint16Array.from(shards[i].count) });
  const first = shards.map((shard) => shard.phrases[0]);
  results.push(await Promise.all(queries.map((query) => searchPhrase(first, load, query))));
}
return results;
"""


def test_search_finds_what_a_look_at_every_phrase_finds() -> None:
    rng = random.Random(0)
    cases: list[dict[str, Any]] = []
    indices: list[Index] = []
    for _ in range(300):
        index, shards = random_index(rng)
        shards = shards[:3]  # as many as a search reads for longer phrases
        index = index[: sum(len(shard["phrases"]) for shard in shards)]
        queries = [*rng.sample([p for p, _ in index], min(3, len(index))), "a", "A\t\tB", "zzz", "  ", "\uffee", "😀"]
        cases.append({"shards": shards, "queries": queries})
        indices.append(index)
    found = evaluate("atlas/phrase-search.js", SEARCH, cases)
    exact = 0
    for case, index, results in zip(cases, indices, found, strict=True):
        for query, result in zip(case["queries"], results, strict=True):
            phrase = " ".join(str(query).lower().split())
            hits = dict(index).get(phrase, [])
            longer = [(p, len(postings)) for p, postings in index if phrase and p.startswith(phrase) and p != phrase]
            longer.sort(key=lambda each: (-each[1], each[0]))
            assert result["phrase"] == phrase
            assert [(hit["feature"], hit["count"]) for hit in result["hits"]] == hits
            assert [tuple(each) for each in result["longer"]] == longer[:12]
            exact += bool(hits)
    assert exact > 500


def test_a_range_is_text_in_an_address_and_back() -> None:
    texts = ["0.3..", "..0.5", "2..3", "7", "..", "-0.2..0.12", "5e-7.."]
    found = evaluate(
        "atlas/ranges.js", "return data.map((t) => [rangeIn(t).map(String), rangeText(rangeIn(t))]);", texts
    )
    ends = [
        ["0.3", "Infinity"],
        ["-Infinity", "0.5"],
        ["2", "3"],
        ["7", "7"],
        ["-Infinity", "Infinity"],
        ["-0.2", "0.12"],
        ["5e-7", "Infinity"],
    ]
    assert found == [[end, text] for end, text in zip(ends, texts, strict=True)]
    odd = ["", "x", "3..2", "1...2", "1..2..3", "1e..", "..x", " 1..2"]
    assert evaluate("atlas/ranges.js", "return data.map(rangeIn);", odd) == [None] * len(odd)


@pytest.mark.parametrize(
    ("values", "whole"),
    [
        ([1, 2, 3, 7], True),
        ([5], True),
        ([1, 100, 4, 5, 60], True),
        ([0.0, 0.31, 0.5], False),
        ([-0.33, 0.2, 1.0], False),
        ([0.45, 2.0, 128.28], False),
        ([0.25, 0.25], False),
        ([], False),
    ],
)
def test_every_value_has_its_bar(values: list[float], whole: bool) -> None:
    script = """
        const values = Float32Array.from(data.values);
        const scale = makeScale(values, data.whole);
        const { edges, place } = scale;
        return [edges, Array.from(binsOf(values, scale)), edges.map(place), data.values.map(place)];
    """
    edges, bins, places, at = evaluate("atlas/ranges.js", script, {"values": values, "whole": whole})
    assert 2 <= len(edges) <= 42
    assert edges == sorted(set(edges)) and places == sorted(places) and (places[0], places[-1]) == (0, 1)
    assert all(0 <= place <= 1 for place in at)
    for value, bin_ in zip(values, bins, strict=True):
        assert edges[bin_] <= value < edges[bin_ + 1] or value == edges[bin_ + 1] == edges[-1]
    if whole:
        assert all(edge == int(edge) for edge in edges) and edges[-1] == max(values) + 1


def test_filters_combine_and_each_counts_what_the_others_let_in() -> None:
    rng = random.Random(1)
    n = 400
    columns: list[list[int | None]] = [
        [rng.choice([None, *range(8)]) if c else rng.randrange(8) for _ in range(n)] for c in range(3)
    ]
    ranges: list[tuple[int | None, int | None]] = [(2, 5), (None, 6), (None, None)]
    script = """
        const filters = data.columns.map((column, f) => {
          const values = column.map((value) => value ?? NaN);
          const scale = makeScale(values, true);
          const [low, high] = data.ranges[f];
          const range = [low ?? -Infinity, high ?? Infinity];
          return { values, bins: binsOf(values, scale), n: scale.edges.length - 1, range };
        });
        const { passing, counts } = sift(filters, data.columns[0].length, (row) => row % 5 > 0);
        return [Array.from(passing), counts.map((each) => Array.from(each))];
    """
    passing, counts = evaluate("atlas/ranges.js", script, {"columns": columns, "ranges": ranges})

    def passes(row: int, f: int) -> bool:
        low, high = ranges[f]
        value = columns[f][row]
        if low is None and high is None:
            return True
        return value is not None and (low is None or value >= low) and (high is None or value <= high)

    rows = [row for row in range(n) if row % 5]
    assert [row for row in range(n) if passing[row]] == [r for r in rows if all(passes(r, f) for f in range(3))]
    for f, found in enumerate(counts):
        others = [row for row in rows if all(passes(row, g) for g in range(3) if g != f)]
        assert found == [sum(columns[f][row] == value for row in others) for value in range(8)]
    assert sum(passing) > 20


def test_clusters_stand_in_the_order_of_their_mean_distance() -> None:
    rng = np.random.default_rng(0)
    cases = []
    for _ in range(50):
        label = rng.integers(0, 5, 20)
        cases.append({"distances": rng.integers(0, 9, 20).tolist(), "label": label.tolist()})
    script = module_text("atlas/own-text.js") + (
        f"const cases = {json.dumps(cases)};"
        "console.log(JSON.stringify(cases.map(({ distances, label }) => clustersByDistance(distances, label))));"
    )
    for case, found in zip(cases, json.loads(run_module(script)), strict=True):
        distances, label = np.array(case["distances"]), np.array(case["label"])
        means = {int(place): float(distances[label == place].mean()) for place in np.unique(label)}
        assert {each["place"]: pytest.approx(each["distance"]) for each in found} == means
        assert [each["place"] for each in found] == sorted(means, key=lambda place: (round(means[place], 9), place))
