"""Atlases of activations below zero, and of both signs: what a neuron says of itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.build import build_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.made_from import made_from
from nbkit.atlas.manifest import MANIFEST
from nbkit.atlas.quadrants import QUADRANTS
from nbkit.atlas.scan import BlockScan, scan_together
from nbkit.atlas.snippets import TOKENS_BEFORE, Snippet
from nbkit.errors import NbkitError
from nbkit.features.quadrant_table import quadrants_of
from nbkit.files import read_json, write_json
from nbkit.models import LanguageModel
from nbkit.models.sign import SIGNS, Sign
from nbkit.models.units import Units
from tests.examples.tiny_models import random_contexts

CONTEXTS = random_contexts(40, 32)


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_activations_are_signed_and_maxima_are_strengths(
    architecture: str, sign: Sign, signed_atlas: Callable[[str, Sign], Atlas]
) -> None:
    atlas, seen = signed_atlas(architecture, sign), set()
    for layer in atlas.layers:
        for neuron in atlas.iterate(layer):
            strengths = {"positive": neuron.peak, "negative": -neuron.peak, "both": np.abs(neuron.peak)}[sign]
            assert neuron.sign == sign and (neuron.peak == neuron.window[:, TOKENS_BEFORE]).all()
            if len(neuron):
                assert strengths.min() >= 0.75 * neuron.max_activation > 0
                assert max(strengths.max(), *np.abs(neuron.strongest.peak)) == np.float32(neuron.max_activation)
            activations = neuron.weights.activations(torch.from_numpy(neuron.pre_mlp), neuron.activation)
            np.testing.assert_allclose(neuron.peak, activations, rtol=1e-3, atol=1e-4)
            assert (np.diff(np.abs(neuron.strongest.peak)) <= 0).all()
            chosen = neuron.strongest.example >= 0
            assert (neuron.strongest.peak[chosen] == neuron.peak[neuron.strongest.example[chosen]]).all()
            for level in neuron.levels:
                assert ((np.abs(level.peak) >= level.low) & (np.abs(level.peak) < level.high)).all()
                seen |= set(np.sign(level.peak))
            for snippet, peak in zip(neuron.snippets, neuron.peak, strict=True):
                begins = snippet.position == snippet.key  # with the context's special token
                assert snippet.activations[snippet.key] == peak
                assert max(snippet.strengths[begins:]) == abs(peak)
            seen |= set(np.sign(neuron.peak))
    assert seen == {"positive": {1}, "negative": {-1}, "both": {-1, 1}}[sign]


def test_both_sides_have_the_examples_of_each_by_itself(signed_atlas: Callable[[str, Sign], Atlas]) -> None:
    """The side that is stronger has the same threshold in the atlas of both signs as by itself."""
    one_sided = {sign: signed_atlas("llama", sign) for sign in ("positive", "negative")}
    for both in signed_atlas("llama", "both").iterate(1):
        sides = {sign: atlas.neuron(1, both.index) for sign, atlas in one_sided.items()}
        sign = max(sides, key=lambda sign: sides[sign].max_activation)
        assert both.max_activation == sides[sign].max_activation
        mine = (both.peak > 0) == (sign == "positive")
        theirs = dict(zip(sides[sign].context.tolist(), sides[sign].peak.tolist(), strict=True))
        assert mine.any()
        assert all(theirs[c] == p for c, p in zip(both.context[mine].tolist(), both.peak[mine].tolist(), strict=True))


def test_tokens_that_are_shown_as_one_have_the_strongest_activation() -> None:
    texts, activations = ("a", "\udce4\udcb8", "\udcad", "b"), (0.5, 0.25, -0.75, 1.0)
    for sign, expected in (("positive", 0.25), ("negative", -0.75), ("both", -0.75)):
        snippet = Snippet.of(texts, activations, 3, 0, 0, sign=sign)  # type: ignore[arg-type]
        assert (snippet.tokens, snippet.activations) == (("a", "中", "b"), (0.5, expected, 1.0))


@pytest.mark.parametrize("sign", SIGNS)
def test_interrupted_and_run_again_the_bytes_are_the_same(
    sign: Sign, tiny_model: Callable[[str], LanguageModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = AtlasConfig(sign=sign, batch_size=4, block_size=8, max_examples=6)
    arguments: dict[str, Any] = {"config": config, "progress": False}
    build_atlas(tiny_model("llama"), CONTEXTS, tmp_path / "whole", **arguments)
    for stop in (16, 32):

        def interrupted(units: Units, scans: Mapping[int, BlockScan], stop: int = stop) -> None:
            if scans[0].start == stop:
                raise KeyboardInterrupt
            scan_together(units, scans)

        with monkeypatch.context() as patch:
            patch.setattr("nbkit.atlas.job.scan_together", interrupted)
            with pytest.raises(KeyboardInterrupt):
                build_atlas(tiny_model("llama"), CONTEXTS, tmp_path / "again", **arguments)
    again = build_atlas(tiny_model("llama"), CONTEXTS, tmp_path / "again", **arguments)
    for name in json.loads((again.path / MANIFEST).read_text())["files"]:
        assert (again.path / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_a_sign_is_a_part_of_what_an_atlas_is(
    tiny_model: Callable[[str], LanguageModel], tmp_path: Path, signed_atlas: Callable[[str, Sign], Atlas]
) -> None:
    config = AtlasConfig(layers=[1], sign="negative")
    built = build_atlas(tiny_model("gpt2"), CONTEXTS, tmp_path, config, progress=False)
    assert build_atlas(tiny_model("gpt2"), CONTEXTS, tmp_path, config, progress=False).manifest == built.manifest
    with pytest.raises(NbkitError, match="holds an atlas of another sign: choose another folder"):
        build_atlas(tiny_model("gpt2"), CONTEXTS, tmp_path, replace(config, sign="positive"), progress=False)
    told = {sign: made_from(signed_atlas("gpt2", sign).manifest)["activations"] for sign in SIGNS}
    assert told["positive"] == "above zero" and told["negative"] == "below zero" and len(set(told.values())) == 3


def test_an_atlas_that_was_made_before_there_was_a_choice_is_of_positive_activations(
    own_atlas: Callable[[str], Atlas], tiny_model: Callable[[str], LanguageModel]
) -> None:
    atlas = own_atlas("gpt2")
    values = read_json(atlas.path / MANIFEST)
    del values["sign"]
    write_json(values, atlas.path / MANIFEST)
    found = open_atlas(atlas.path)
    assert found.manifest == atlas.manifest and found.manifest.sign == "positive"
    again = build_atlas(tiny_model("gpt2"), CONTEXTS, atlas.path, AtlasConfig(embedding="paper"), progress=False)
    assert again.manifest == atlas.manifest and again.made_in == "."


@pytest.mark.parametrize("sign", SIGNS)
def test_quadrants_are_the_signs_of_both_branches(
    sign: Sign, tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    config = AtlasConfig(sign=sign, threshold=0.001)  # where the gate is below zero, SiLU is weak
    atlas = build_atlas(tiny_model("llama"), CONTEXTS, tmp_path, config, progress=False)
    table = quadrants_of(atlas, progress=False)
    assert (atlas.path / "quadrants.parquet").is_file()
    assert table.columns.tolist() == ["layer", "index", *QUADRANTS] and len(table) == atlas.n_neurons
    found = set()
    for layer in atlas.layers:
        for neuron in atlas.iterate(layer):
            assert neuron.w_gate is not None
            signs = [
                f"gate{'+' if h @ neuron.w_gate > 0 else '-'} up{'+' if h @ neuron.w_in > 0 else '-'}"
                for h in neuron.pre_mlp
            ]
            assert neuron.quadrants.tolist() == signs
            same = [name in (QUADRANTS[0], QUADRANTS[3]) for name in signs]
            assert same == (neuron.peak > 0).tolist()  # SiLU is below zero where the gate is
            shares = table[(table["layer"] == layer) & (table["index"] == neuron.index)][list(QUADRANTS)].iloc[0]
            expected = [signs.count(name) / len(signs) if signs else np.nan for name in QUADRANTS]
            np.testing.assert_allclose(shares.to_numpy(float), expected)
            found |= set(signs)
    assert len(found) == (4 if sign == "both" else 2)


def test_neurons_that_are_not_gated_have_no_quadrants(tiny_atlas: Callable[[str], Atlas]) -> None:
    with pytest.raises(NbkitError, match="L0 N1 has no quadrants: it is not gated"):
        _ = tiny_atlas("gpt2").neuron(0, 1).quadrants
    with pytest.raises(NbkitError, match="has no quadrants: no neuron of it is gated"):
        quadrants_of(tiny_atlas("gpt2"), progress=False)


def test_vectors_that_differ_in_the_side_of_the_up_branch_have_opposite_embeddings(
    tiny_atlas: Callable[[str], Atlas],
) -> None:
    """The reason not to turn the embedding of an activation below zero around: see `InputWeights.embed`."""
    neuron = tiny_atlas("llama").neuron(0, 0)
    rng = np.random.default_rng(0)
    p, q = rng.normal(size=(2, 8))
    gate, up = (np.concatenate(parts) for parts in ((rng.normal(size=8), np.zeros(8)), (np.zeros(8), q)))
    weights = replace(neuron.weights, w_in=up, w_gate=gate, b_in=0.0, b_gate=0.0)
    vectors = np.stack([np.concatenate([p, q]), np.concatenate([p, -q])])
    activations = weights.activations(torch.from_numpy(vectors), "silu")
    embeddings = weights.embed(vectors, "gradient", "silu")
    np.testing.assert_allclose(activations[0], -activations[1])
    np.testing.assert_allclose(embeddings[0], -embeddings[1])
