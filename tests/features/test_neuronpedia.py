"""The export to Neuronpedia against the schema that is published, and against the atlas."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import nbkit
from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.features import neuronpedia
from nbkit.features.neuronpedia import export_neuronpedia
from nbkit.models.sign import Sign

REQUIRED, OPTIONAL = True, False


def text(value: Any) -> None:
    assert isinstance(value, str) and value, "yup's required() takes no empty string"


def lower(value: Any) -> None:
    text(value)
    assert value == value.lower()


def number(least: float = -math.inf, most: float = math.inf) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        assert isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most

    return check


def whole(least: int, most: int) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        assert isinstance(value, int) and least <= value <= most

    return check


def array(of: Callable[[Any], None], least: int = 0, most: float = math.inf) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        assert isinstance(value, list) and least <= len(value) <= most
        for each in value:
            of(each)

    return check


def record(fields: Mapping[str, tuple[Callable[[Any], None], bool]]) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        assert isinstance(value, dict) and set(value) <= set(fields), "a field that the schema doesn't know"
        for name, (of, required) in fields.items():
            assert name in value or not required, name
            if name in value:
                of(value[name])

    return check


LOGITS = array(record({"token": (text, REQUIRED), "value": (number(), REQUIRED)}), most=20)
ACTIVATION = record(
    {
        "tokens": (array(text, 1, 1024), REQUIRED),
        "values": (array(number(), 1, 1024), REQUIRED),
        "quantileMax": (number(most=99_999_999), OPTIONAL),
        "quantileMin": (number(most=99_999_999), OPTIONAL),
        "quantileFraction": (number(0, 1), OPTIONAL),
    }
)
FEATURE = record(
    {
        "index": (whole(0, 10_000_000), REQUIRED),
        "density": (number(0, 1), OPTIONAL),
        "topLogits": (LOGITS, OPTIONAL),
        "bottomLogits": (LOGITS, OPTIONAL),
        "explanations": (array(record({})), OPTIONAL),
        "activations": (array(ACTIVATION, 1), REQUIRED),
    }
)
BATCH = record(
    {"modelId": (lower, REQUIRED), "source": (lower, REQUIRED), "features": (array(FEATURE, 1, 128), REQUIRED)}
)
"""`uploadBatchSchema`, field by field."""


def batches(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The batches of each source, read and checked as the server does."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*/batch-*.json")):
        batch = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(name))
        BATCH(batch)
        assert batch["source"] == path.parent.name
        indices = [feature["index"] for feature in batch["features"]]
        assert len(set(indices)) == len(indices), "all indexes must be unique"
        for feature in batch["features"]:
            assert all(len(a["tokens"]) == len(a["values"]) for a in feature["activations"])
        found.setdefault(batch["source"], []).append(batch)
    return found


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "bert"])
def test_every_batch_is_what_the_server_takes(
    architecture: str, tiny_atlas: Callable[[str], Atlas], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neuronpedia, "PER_BATCH", 5)
    atlas = tiny_atlas(architecture)
    export = export_neuronpedia(atlas, tmp_path / "out", "my-model", "mine", progress=False)
    found = batches(tmp_path / "out")
    assert list(found) == [f"{layer}-mine" for layer in atlas.layers]
    written = [feature for source in found.values() for batch in source for feature in batch["features"]]
    assert len(written) == export.n_features == int((atlas.neurons["n_examples"] > 0).sum())
    assert export.n_features + export.n_left_out == atlas.n_neurons
    assert {batch["modelId"] for source in found.values() for batch in source} == {"my-model"}
    assert max(len(batch["features"]) for source in found.values() for batch in source) == 5
    about = json.loads((tmp_path / "out" / "neuronpedia.json").read_text())
    assert about["n_files"] == sum(map(len, found.values())) == export.n_files and "upload-batch" in about["schema"]


def test_it_is_said_what_the_clusters_are_of(tiny_atlas: Callable[[str], Atlas], tmp_path: Path) -> None:
    atlas = tiny_atlas("gpt2")
    for shown, source_set, embedding in (
        (atlas, "neuron-embeddings", "input"),
        (atlas.with_embedding("auto"), "centered-vectors", "centered"),
    ):
        export = export_neuronpedia(shown, tmp_path / embedding, layers=[0], progress=False)
        assert (export.source_set, export.embedding) == (source_set, embedding)
        assert list(batches(tmp_path / embedding)) == [f"0-{source_set}"]


def test_a_section_is_a_feature_cluster(tiny_atlas: Callable[[str], Atlas], tmp_path: Path) -> None:
    atlas = tiny_atlas("gpt2")
    export_neuronpedia(atlas, tmp_path / "out", layers=[atlas.layers[0]], progress=False)
    [source] = batches(tmp_path / "out").values()
    [feature, *_] = [f for b in source for f in b["features"] if len({a["quantileMax"] for a in f["activations"]}) > 1]
    neuron = atlas.neuron(atlas.layers[0], feature["index"])
    clusters = neuron.clusters(0.5)
    activations = iter(feature["activations"])
    for label, medoid in enumerate(clusters.medoids[:10]):
        members = [i for i in range(len(neuron)) if clusters.labels[i] == label]
        chosen = [medoid, *(i for i in members if i != medoid)][:5]
        for example in chosen:
            activation, snippet = next(activations), neuron.snippets[example]
            assert activation["tokens"] == list(snippet.tokens)
            assert activation["values"] == pytest.approx(snippet.activations, rel=1e-4, abs=1e-12)
            assert activation["quantileFraction"] == pytest.approx(len(members) / len(neuron), rel=1e-4)
            assert activation["quantileMax"] == pytest.approx(max(neuron.peak[members]), rel=1e-4)
            assert activation["quantileMin"] == pytest.approx(min(neuron.peak[members]), rel=1e-4)
    assert next(activations, None) is None
    effects = neuron.logit_effects
    assert effects is not None
    assert [logit["value"] for logit in feature["topLogits"]] == pytest.approx(list(effects.promoted[:20]), rel=1e-4)
    assert [logit["token"] for logit in feature["bottomLogits"]] == atlas.token_strings(effects.suppressed_ids[:20])


def test_neurons_without_direction_have_one_section(pruned_atlas: Atlas, tmp_path: Path) -> None:
    export_neuronpedia(pruned_atlas, tmp_path / "out", progress=False)
    features = [f for source in batches(tmp_path / "out").values() for batch in source for f in batch["features"]]
    assert any("quantileMax" not in activation for feature in features for activation in feature["activations"])


def test_an_earlier_export_is_replaced_and_nothing_else(tiny_atlas: Callable[[str], Atlas], tmp_path: Path) -> None:
    atlas, out = tiny_atlas("gpt2"), tmp_path / "out"
    export_neuronpedia(atlas, out, progress=False)
    export_neuronpedia(atlas, out, source_set="other", layers=[0], progress=False)
    assert sorted(path.name for path in out.iterdir()) == ["0-other", "neuronpedia.json"]
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("years of work")
    for place in (mine, mine / "thesis.tex", tmp_path):
        with pytest.raises(NbkitError, match="is there already and was not made by this command"):
            export_neuronpedia(atlas, place, progress=False)
    assert (mine / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize("names", [{"model_id": "Has Spaces"}, {"source_set": "../up"}, {"source_set": ""}])
def test_names_that_neuronpedia_does_not_take(
    names: dict[str, str], tiny_atlas: Callable[[str], Atlas], tmp_path: Path
) -> None:
    with pytest.raises(NbkitError, match="Neuronpedia takes no"):
        nbkit.export_neuronpedia(tiny_atlas("gpt2"), tmp_path / "out", **names)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_a_failure_leaves_nothing(
    tiny_atlas: Callable[[str], Atlas], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(neuronpedia, "_write_layer", full)
    with pytest.raises(NbkitError, match="No space left on device"):
        export_neuronpedia(tiny_atlas("gpt2"), tmp_path / "out", progress=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sign", ["negative", "both"])
def test_activations_below_zero_are_refused(
    sign: Sign, signed_atlas: Callable[[str, Sign], Atlas], tmp_path: Path
) -> None:
    with pytest.raises(NbkitError, match="is of activations below zero: build one with sign='positive'"):
        export_neuronpedia(signed_atlas("gpt2", sign), tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
