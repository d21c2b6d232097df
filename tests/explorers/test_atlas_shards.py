"""The shards of an atlas: decoded again they are the atlas's data, whichever side asks for them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.build import build_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.neuron import Neuron
from nbkit.atlas.quadrants import QUADRANTS
from nbkit.errors import NbkitError
from nbkit.explorers.atlas.neuron_shard import _trees
from nbkit.explorers.atlas.sent_metrics import SENT_METRICS, as_whole_numbers, sent_table
from nbkit.explorers.atlas.shards import PER_SHARD, AtlasShards
from nbkit.explorers.shared.bundle import EXPLORERS_FOLDER, module_text
from nbkit.features import showcase
from nbkit.features.agreement import agreement_of, most_agreeing_kind
from nbkit.features.neighbors import neighbors_of
from nbkit.features.phrases import phrases_of
from nbkit.features.table import features_of
from nbkit.method.clusters import FeatureClusters, node_medoids
from nbkit.models import LanguageModel
from nbkit.models.sign import Sign, strength
from tests.browser.node import run_module
from tests.examples.packed import opened, unpacked
from tests.examples.tiny_models import D_MLP, PADDED, PRUNED, random_contexts


class Reader:
    """Takes parts of flat arrays one after another."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
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


@pytest.mark.parametrize(
    ("architecture", "sign"),
    [("gpt2", "positive"), ("llama", "positive"), ("gpt2", "negative"), ("llama", "negative"), ("llama", "both")],
)
def test_a_shard_of_neurons_is_decoded_to_their_data(
    architecture: str, sign: Sign, tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    config = AtlasConfig(max_examples=3, sign=sign)  # so that some of the strongest contexts are no examples
    atlas = build_atlas(tiny_model(architecture), random_contexts(40, 32), tmp_path / "atlas", config, None, False)
    assert any((neuron.strongest.example < 0).any() for neuron in atlas.iterate(0))
    shards = AtlasShards(atlas)
    vocabulary = opened(*shards.shard("vocabulary"))[1]["tokens"]
    neurons = [neuron for layer in atlas.layers for neuron in atlas.iterate(layer)]
    names = [name for name in shards.names() if name.startswith("neurons-")]
    for name, start in zip(names, range(0, len(neurons), PER_SHARD), strict=True):
        reader = Reader(unpacked(*shards.shard(name)))
        for neuron in neurons[start : start + PER_SHARD]:
            assert reader.take("n", 1) == len(neuron)
            assert reader.take("max", 1) == np.float32(neuron.max_activation)
            [scale] = reader.take("scale", 1)
            assert reader.take("important", 1) == 0
            if architecture == "llama":
                assert quadrant_names(reader.take("quadrant", len(neuron))) == neuron.quadrants.tolist()
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
            check_levels(reader, neuron, atlas, vocabulary, scale)
            check_strongest(reader, neuron, atlas, vocabulary, scale)
            check_effects(reader, neuron, atlas, vocabulary)
        reader.check_end()


def quadrant_names(numbers: np.ndarray) -> list[str]:
    return [QUADRANTS[number] for number in numbers]


def check_levels(reader: Reader, neuron: Neuron, atlas: Atlas, vocabulary: list[str], scale: float) -> None:
    """The neuron's bands come next, every second one that has any with an example below the dataset examples."""
    before = 0
    for band in neuron.levels:
        edges = [reader.take(name, 1)[0] for name in ("low", "high", "count")]
        assert edges == [np.float32(band.low), np.float32(band.high), band.count]
        weak = [
            i
            for i, peak in enumerate(band.peak)
            if strength(float(peak), neuron.sign) < atlas.manifest.threshold * neuron.max_activation
        ]
        [shown] = reader.take("shown", 1)
        assert shown == (1 if weak and not before else 0)
        before = shown
        for tokens, activations, rest in reader.examples("level_", shown, scale):
            position, context = int(band.position[weak[0]]), int(band.context[weak[0]])
            first = max(0, position - 10)
            ids = atlas.tokens[context, first : position + 6]
            assert [vocabulary[token] for token in tokens] == atlas.token_strings(ids)
            window = band.window[weak[0]][20 - (position - first) :][: len(ids)]
            assert np.allclose(activations, window, rtol=0, atol=0.51 * scale)
            where = {"context": context, "position": position, "key": position - first, "peak": band.peak[weak[0]]}
            assert rest == where | {"length": len(ids)}


def check_strongest(reader: Reader, neuron: Neuron, atlas: Atlas, vocabulary: list[str], scale: float) -> None:
    """The neuron's strongest contexts come next: which examples they are, and the text of those that are none."""
    strongest = neuron.strongest
    assert reader.take("strongest", 1) == len(strongest.example)
    examples = reader.take("strongest_example", len(strongest.example)).astype(np.int64)
    assert np.where(examples == 0xFFFF, -1, examples).tolist() == strongest.example.tolist()
    rest = np.flatnonzero(strongest.example < 0)
    for row, (tokens, activations, found) in zip(rest, reader.examples("strong_", len(rest), scale), strict=True):
        position, context = int(strongest.position[row]), int(strongest.context[row])
        first = max(0, position - 20)
        ids = atlas.tokens[context, first : position + 11]
        assert [vocabulary[token] for token in tokens] == atlas.token_strings(ids)
        assert np.allclose(activations, strongest.window[row][20 - (position - first) :][: len(ids)], atol=0.51 * scale)
        assert (found["context"], found["position"], found["key"]) == (context, position, position - first)
        assert found["peak"] == strongest.peak[row]
        if neuron.site.gated:
            own = neuron.weights
            assert own.w_gate is not None
            gate, up = strongest.pre_mlp[row] @ own.w_gate, strongest.pre_mlp[row] @ own.w_in
            [name] = quadrant_names(reader.take("strong_quadrant", 1))
            assert name == f"gate{'+' if gate > 0 else '-'} up{'+' if up > 0 else '-'}"
        [own] = neuron.embed(strongest.pre_mlp[[row]]).astype(np.float64)
        others = neuron.embeddings().astype(np.float64)
        apart = 1 - others @ own / np.linalg.norm(others, axis=1) / np.linalg.norm(own)
        assert reader.take("strong_distance", 1)[0] == pytest.approx(apart.min(), rel=1e-3, abs=1e-6)
        assert apart[reader.take("strong_near", 1)[0]] == pytest.approx(apart.min(), abs=1e-6)


def check_effects(reader: Reader, neuron: Neuron, atlas: Atlas, vocabulary: list[str]) -> None:
    """What the neuron's output promotes comes next, then what it suppresses."""
    effects = neuron.logit_effects
    assert effects is not None
    for ids, values in ((effects.promoted_ids, effects.promoted), (effects.suppressed_ids, effects.suppressed)):
        tokens = reader.take("logit_tokens", len(ids))
        assert [vocabulary[token] for token in tokens] == atlas.token_strings(ids)
        assert np.allclose(reader.take("logit_values", len(ids)), values, rtol=1 / 2000)


def test_an_unknown_shard_is_refused(tiny_atlas: Callable[[str], Atlas]) -> None:
    shards = AtlasShards(tiny_atlas("gpt2"))
    for name in ("neurons-99999", "neurons-1", "../atlas", "", "overview-00000", "similar"):
        with pytest.raises(NbkitError, match="no part"):
            shards.shard(name)


def test_what_is_too_large_for_a_whole_number_is_undefined() -> None:
    coordinates = as_whole_numbers(pd.Series([0, 65_534, 65_535, 70_000, np.nan]), *SENT_METRICS["largest_coordinate"])
    assert coordinates.tolist() == [0, 65_534, 0xFFFF, 0xFFFF, 0xFFFF]
    participation = as_whole_numbers(pd.Series([1.0, 13_106.8, 13_107.0, 20_000.0]), *SENT_METRICS["participation"])
    assert participation.tolist() == [5, 65_534, 0xFFFF, 0xFFFF]


def test_the_overview_holds_every_metric_of_every_neuron(tiny_atlas: Callable[[str], Atlas]) -> None:
    atlas = tiny_atlas("llama")
    overview, about = opened(*AtlasShards(atlas).shard("overview"))
    assert about["model"] == "llama", "not where it lies"
    assert [(site["number"], site["size"], site["unit"]) for site in about["sites"]] == [
        *((0, 40, "neuron"), (1, 40, "neuron"), (2, 40, "neuron"))
    ]
    assert (about["kinds"], about["per_shard"]) == (["gradient", "pre_mlp"], PER_SHARD)
    assert about["n_features"] == len(features_of(atlas))
    assert "max_activation" in {metric["name"] for metric in about["metrics"]}
    for metric in about["metrics"]:
        raw, exact = overview[metric["name"]], sent_table(atlas)[metric["name"]].to_numpy(np.float64)
        if raw.dtype == np.uint16:
            values = np.where(raw == 0xFFFF, np.nan, raw * metric["scale"] + metric.get("shift", 0))
            tolerance = 0 if metric["scale"] == 1 else 0.51 * metric["scale"]
            assert np.allclose(values, exact, rtol=0, atol=tolerance, equal_nan=True)
        else:
            assert np.allclose(raw, exact, rtol=1 / 2000)
    for row, rule in about["featured"]:
        assert rule.startswith("Chosen by")
        assert atlas.neurons["n_examples"][row] >= 1


def test_the_overview_tells_what_is_clustered_and_where_trees_are_cut(
    tiny_atlas: Callable[[str], Atlas], monkeypatch: pytest.MonkeyPatch
) -> None:
    atlas, chosen_by = tiny_atlas("llama"), list[str]()

    def featured(asked: Atlas) -> list[showcase.Choice]:
        chosen_by.append(asked.manifest.embedding)
        return [showcase.Choice(asked.neuron(1, 2), "Chosen by hand.")]

    monkeypatch.setattr(showcase, "featured", featured)
    centered = atlas.with_embedding("auto")
    paper, ours = (opened(*AtlasShards(each).shard("overview"))[1] for each in (atlas, centered))
    assert (paper["embedding"], paper["cuts"], paper["kinds"]) == ("gradient", [0.5] * 3, ["gradient", "pre_mlp"])
    assert (ours["embedding"], ours["kinds"]) == ("centered", ["centered", "gradient"])
    assert ours["cuts"] == [centered.cut(layer) for layer in centered.layers] != paper["cuts"]
    assert ours["featured"] == paper["featured"] == [[D_MLP + 2, "Chosen by hand."]] and ours["id"] != paper["id"]
    assert chosen_by == ["gradient", "centered"], "by what is shown"


def test_the_overview_tells_the_sites_of_latents(latents_atlas: Atlas) -> None:
    about = opened(*AtlasShards(latents_atlas).shard("overview"))[1]
    stream, read = about["sites"]
    kind = {"unit": "latent", "mark": "#"}
    assert stream == kind | {"number": 0, "size": 20, "label": "S0", "title": "S0 (blocks.1.hook_resid_post)"}
    assert read == kind | {"number": 1, "size": 9, "label": "S1", "title": "S1 (blocks.0.mlp.hook_in)"}
    assert all(rule.startswith("Chosen by") and "neurons" not in rule for _, rule in about["featured"])


def test_features_and_the_similar_ones_are_found_by_their_numbers(tiny_atlas: Callable[[str], Atlas]) -> None:
    atlas = tiny_atlas("llama")
    shards, table = AtlasShards(atlas), features_of(atlas)
    known = unpacked(*shards.shard("features"))
    vocabulary = opened(*shards.shard("vocabulary"))[1]["tokens"]
    assert len(known["counts"]) == len(atlas.neurons)
    rows = np.repeat(np.arange(len(atlas.neurons)), known["counts"])
    assert np.array_equal(rows, table["layer"] * D_MLP + table["index"])
    assert np.array_equal(known["size"], table["size"])
    assert [vocabulary[token] for token in known["token"]] == atlas.token_strings(table["key_id"])

    about = opened(*shards.shard("overview"))[1]
    agreement = agreement_of(atlas)
    assert about["kinds"] == ["gradient", "pre_mlp"]
    assert about["kinds"][about["usual"]] == most_agreeing_kind(agreement, about["kinds"])
    assert len(about["agreement"]) == agreement["neighbors"].notna().sum() > 0
    for i, kind in enumerate(about["kinds"]):
        cosines = np.array(about["random"]["cosines"][i], dtype=float)
        np.testing.assert_allclose(cosines, neighbors_of(atlas, kind).random, atol=1e-4)

    similar = [unpacked(*shards.shard(name)) for name in shards.names() if name.startswith("similar-")]
    for i, kind in enumerate(("gradient", "pre_mlp")):
        near = neighbors_of(atlas, kind)
        feature = np.concatenate([shard[f"feature_{i}"] for shard in similar]).reshape(near.feature.shape)
        cosine = np.concatenate([shard[f"cosine_{i}"] for shard in similar]).reshape(near.feature.shape) / 10_000 - 1
        shown = near.feature >= 0
        shown[table["size"] == 1, :, 1:] = False
        assert np.array_equal(feature == 0xFFFFFFFF, ~shown)
        assert np.array_equal(feature[shown], near.feature[shown])
        assert np.allclose(cosine[shown], near.cosine[shown], rtol=0, atol=0.0026)


def test_phrases_lie_in_order_over_all_their_shards(
    tiny_atlas: Callable[[str], Atlas], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbkit.explorers.atlas.shards.PHRASE_BYTES", 300)
    atlas = tiny_atlas("gpt2")
    shards, table = AtlasShards(atlas), phrases_of(atlas)
    parts = [opened(*shards.shard(name)) for name in shards.names() if name.startswith("phrases-")]
    assert len(parts) > 3
    assert [text["phrases"][0] for _, text in parts] == opened(*shards.shard("overview"))[1]["phrases"]
    found = [
        (phrase, int(part["feature"][row]), int(part["count"][row]))
        for part, text in parts
        for phrase, (start, stop) in zip(text["phrases"], pairwise(part["start"]), strict=True)
        for row in range(start, stop)
    ]
    assert found == list(table.itertuples(index=False, name=None))


def test_importance_is_there_for_the_examples_that_have_it(
    tiny_atlas: Callable[[str], Atlas], monkeypatch: pytest.MonkeyPatch
) -> None:
    atlas = tiny_atlas("llama")
    rich = [n for layer in atlas.layers for n in atlas.iterate(layer) if len(n) > 3][:2]
    kept = {}
    for neuron in rich:
        for example in (0, 3):
            n_tokens = neuron.snippets[example].key + 1
            kept[neuron.layer, neuron.index, example] = np.linspace(0, 1, n_tokens, dtype=np.float32)
    monkeypatch.setattr("nbkit.explorers.atlas.shards.kept_importance", lambda _: kept)
    shards = AtlasShards(atlas)
    found = {}
    for number in range(8):
        arrays = unpacked(*shards.shard(f"neurons-{number:05d}"))
        reader = Reader(arrays)
        first = 0
        for place, n in enumerate(arrays["n"]):
            layer, index = divmod(number * PER_SHARD + place, D_MLP)
            for example in reader.take("important_example", int(arrays["important"][place])):
                found[layer, index, int(example)] = reader.take("importance", int(arrays["key"][first + example]) + 1)
            first += int(n)
    assert found.keys() == kept.keys()
    assert all(np.allclose(found[key] / 255, kept[key], rtol=0, atol=0.51 / 17) for key in kept)


def test_the_browser_opens_what_python_packs(tiny_atlas: Callable[[str], Atlas]) -> None:
    shards = AtlasShards(tiny_atlas("gpt2"))
    for name in ("neurons-00003", "vocabulary"):
        layout, packed = shards.shard(name)
        script = (EXPLORERS_FOLDER / "shared/packing.js").read_text(encoding="utf-8") + (
            f"const packed = Buffer.from({json.dumps(base64.b64encode(packed).decode())}, 'base64');"
            f"const arrays = await unpack({json.dumps(layout)}, packed);"
            "console.log(JSON.stringify(Object.fromEntries(Object.entries(arrays).map(([k, v]) => [k, [...v]]))));"
        )
        found = json.loads(run_module(script))
        for key, array in unpacked(layout, packed).items():
            assert found[key] == array.tolist()


def test_a_neuron_without_a_direction_has_examples_and_no_tree(pruned_atlas: Atlas) -> None:
    shards = AtlasShards(pruned_atlas)
    first = unpacked(*shards.shard("neurons-00000"))
    assert first["undirected"].tolist() == [PRUNED]
    neurons = [pruned_atlas.neuron(0, index) for index in range(PER_SHARD)]
    trees = [neuron.clusters().linkage for neuron in neurons if len(neuron) > 1 and neuron.index != PRUNED]
    assert np.allclose(first["heights"], np.concatenate(trees)[:, 2], rtol=1e-7)
    assert first["n"][PRUNED] == len(neurons[PRUNED]) > 1
    counts = unpacked(*shards.shard("features"))["counts"]
    assert counts[PRUNED] == counts[PADDED] == 0 < counts[0]
    overview = unpacked(*shards.shard("overview"))
    assert overview["mean_distance"][PRUNED] == overview["n_clusters"][PADDED] == 0xFFFF

    layout, packed = shards.shard("neurons-00000")
    script = module_text("atlas/atlas-data.js") + (EXPLORERS_FOLDER / "shared/packing.js").read_text(encoding="utf-8")
    script += (
        f"const packed = Buffer.from({json.dumps(base64.b64encode(packed).decode())}, 'base64');"
        f"const shard = await unpack({json.dumps(layout)}, packed), words = {{ tokens: [], raw: {{}} }};"
        f"const all = Array.from({{ length: {PER_SHARD} }}, (_, place) => neuronData(shard, place, words));"
        "const rows = all.map(({ n, clustered, heights, keys }) => [n, clustered, heights, keys.length]);"
        "console.log(JSON.stringify(rows));"
    )
    for neuron, (n, clustered, heights, n_keys) in zip(neurons, json.loads(run_module(script)), strict=True):
        directed = len(neuron) > 0 and neuron.index != PRUNED
        assert (n, clustered, n_keys) == (len(neuron), directed, len(neuron))
        expected = neuron.clusters().linkage[:, 2] if directed else []
        assert np.allclose(heights, expected, rtol=1e-7)


@pytest.mark.parametrize("cut", [0.5, 0.85, 0.91, 1.0])
def test_a_merge_beside_the_cut_stays_on_its_side(cut: float) -> None:
    class Close:
        """A neuron with two examples."""

        def __init__(self, height: float) -> None:
            tree = np.array([[0, 1, height, 2]])
            self.tree = FeatureClusters(np.zeros(2, dtype=int), tree, np.full((2, 2), height), 0.5, "average")

        def __len__(self) -> int:
            return 2

        def cut(self) -> float:
            return cut

        def clusters(self) -> FeatureClusters:
            return self.tree.cut(cut)

    for height in (cut - 1e-12, cut, cut + 1e-12, 0.7):
        [rounded] = _trees([cast(Neuron, Close(height))])["heights"].astype(float)
        assert (rounded <= cut) == (height <= cut)
        assert abs(rounded - height) < 2e-7


def test_an_atlas_without_examples_has_shards(tmp_path: Path, tiny_model: Callable[[str], LanguageModel]) -> None:
    out_of_reach = np.full((3, 40), 1e6, dtype=np.float32)
    atlas = build_atlas(tiny_model("gpt2"), random_contexts(6, 32), tmp_path / "atlas", None, out_of_reach, False)
    assert atlas.neurons["n_examples"].sum() == 0
    shards = AtlasShards(atlas)
    for name in shards.names():
        shards.shard(name)
