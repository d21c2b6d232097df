"""How far neighbors agree, against a slow loop over the pairs of tiny atlases, and the choice of a space."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.manifest import MANIFEST
from nbkit.features import agreement
from nbkit.features.agreement import agreement_of, most_agreeing_kind
from nbkit.features.neighbors import neighbors_of
from nbkit.features.table import features_of
from nbkit.files import read_json
from nbkit.models.sign import Sign


def others_of(atlas: Atlas, features: pd.DataFrame, number: int) -> tuple[list[object], np.ndarray]:
    """The key words of a feature's examples beside its medoid, and what its neuron receives there."""
    layer, index, place, medoid = (int(features.at[number, name]) for name in ("layer", "index", "place", "medoid"))
    neuron = atlas.neuron(layer, index)
    labels = neuron.clusters().labels
    rest = [example for example in range(len(neuron)) if labels[example] == place and example != medoid]
    return [int(atlas.words[neuron.key_ids[example]]) for example in rest], neuron.pre_mlp[rest]


def shared(one: list[object], other: list[object]) -> float:
    mine, theirs = Counter(one), Counter(other)
    return sum(min(mine[word] / len(one), theirs[word] / len(other)) for word in mine)


def answer(atlas: Atlas, features: pd.DataFrame, number: int, pre_mlp: np.ndarray) -> float:
    """The mean strength of a feature's neuron, which is gated, as a share of its maximum."""
    neuron = atlas.neuron(int(features.at[number, "layer"]), int(features.at[number, "index"]))
    weights = neuron.weights
    assert weights.w_gate is not None
    gate = pre_mlp @ weights.w_gate + weights.b_gate
    activation = gate / (1 + np.exp(-gate)) * (pre_mlp @ weights.w_in + weights.b_in)
    strength = {"positive": activation, "negative": -activation, "both": np.abs(activation)}[atlas.manifest.sign]
    return float(np.clip(strength / neuron.max_activation, 0, 1).mean())


@pytest.mark.parametrize("sign", ["positive", "both"])
def test_equals_a_slow_loop_over_all_pairs(
    sign: Sign, signed_atlas: Callable[[str, Sign], Atlas], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "FEWEST_BESIDE_MEDOID", 1)
    monkeypatch.setattr(agreement, "PAIRS", 10_000)
    source = signed_atlas("llama", sign).path
    for name in (MANIFEST, *read_json(source / MANIFEST)["files"]):
        shutil.copyfile(source / name, tmp_path / name)
    atlas = open_atlas(tmp_path)
    features = features_of(atlas, progress=False)
    table = agreement_of(atlas, progress=False).set_index(["kind", "scope", "measure"])
    assert len(table) == 2 * 2 * 2
    for kind in ("gradient", "pre_mlp"):
        near = neighbors_of(atlas, kind, progress=False).feature
        for place, scope in enumerate(("same", "other")):
            pairs = [
                (one, other)
                for one in range(len(features))
                for other in near[one, place].tolist()
                if other >= 0 and features.at[one, "size"] > 1 and features.at[other, "size"] > 1
            ]
            behaviors = [(others_of(atlas, features, one), others_of(atlas, features, other)) for one, other in pairs]
            row = table.xs((kind, scope, "words"))
            assert row["pairs"] == len(pairs) > 10
            assert row["neighbors"] == pytest.approx(np.mean([shared(one[0], other[0]) for one, other in behaviors]))
            assert row["low"] <= row["neighbors"] - row["random"] <= row["high"]
            expected = [
                answer(atlas, features, other, one[1]) for (_, other), (one, _) in zip(pairs, behaviors, strict=True)
            ]
            response = table.xs((kind, scope, "response"))["neighbors"]
            assert response == pytest.approx(np.mean(expected), rel=1e-4) if scope == "same" else math.isnan(response)


def test_a_peer_is_of_the_neighbors_layer_and_size_and_of_another_neuron() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(4, 100, size=120)
    able = pd.DataFrame({"layer": np.repeat([0, 1], 60), "index": np.tile(np.arange(60) // 2, 2), "size": sizes})
    able.index = pd.Index(7 * np.arange(120))  # numbers of features, of which others are too small
    for one, other in rng.permutation(able.index.to_numpy())[:40].reshape(-1, 2):
        apart = {
            number: abs(math.log(row["size"] / able.at[other, "size"]))
            for number, row in able.iterrows()
            if row["layer"] == able.at[other, "layer"]
            and (row["layer"], row["index"]) != (able.at[one, "layer"], able.at[one, "index"])
        }
        widest = sorted(apart.values())[agreement.PEERS - 1]
        for _ in range(30):
            drawn = agreement._peer(rng, able, one, other)
            assert drawn in apart and apart[drawn] <= widest


def test_what_agrees_by_nature_agrees_beyond_chance_and_what_is_drawn_does_not() -> None:
    rng = np.random.default_rng(0)
    neuron = np.repeat(np.arange(50), 4)
    alike = np.stack([rng.uniform(0.4, 0.6, 200), rng.uniform(0, 0.2, 200)], axis=1)
    neighbors, random, low, high = agreement._means(alike, neuron, rng)
    assert neighbors == pytest.approx(0.5, abs=0.02) and random == pytest.approx(0.1, abs=0.02)
    assert 0.37 < low < neighbors - random < high < 0.43
    low, high = agreement._means(rng.uniform(size=(200, 2)), neuron, rng)[2:]
    assert low < 0 < high
    of_neuron = rng.normal(size=50)[neuron, None] * [1, 0]  # four equal pairs say no more than one
    wide, narrow = (agreement._means(of_neuron, each, rng) for each in (neuron, np.arange(200)))
    assert wide[3] - wide[2] > 1.5 * (narrow[3] - narrow[2])


def test_the_space_whose_neighbors_share_most_words_beyond_chance_is_chosen() -> None:
    def table(*rows: tuple[str, str, str, float, float]) -> pd.DataFrame:
        return pd.DataFrame(rows, columns=["kind", "scope", "measure", "neighbors", "random"])

    found = table(
        ("input", "same", "words", 0.5, 0.4),
        ("input", "other", "words", 0.5, 0.4),
        ("pre_mlp", "same", "words", 0.4, 0.1),
        ("pre_mlp", "other", "words", math.nan, math.nan),
        ("input", "same", "response", 0.9, 0.0),
    )
    assert most_agreeing_kind(found, ["input", "pre_mlp"]) == "pre_mlp"
    unknown = table(("input", "same", "words", math.nan, math.nan), ("pre_mlp", "same", "words", math.nan, math.nan))
    assert most_agreeing_kind(unknown, ["input", "pre_mlp"]) == "input"


def test_it_is_measured_once(own_atlas: Callable[[str], Atlas], monkeypatch: pytest.MonkeyPatch) -> None:
    atlas = own_atlas("gpt2")
    first = agreement_of(atlas, progress=False)
    monkeypatch.setattr(agreement, "neighbors_of", None)
    pd.testing.assert_frame_equal(agreement_of(open_atlas(atlas.path)), first)
