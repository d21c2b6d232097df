"""Whatever is given to the public functions of atlases, features, explorers and assets: a result, or one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import nbkit
from nbkit import assets, files
from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.build import build_atlas, scan_blocks
from nbkit.atlas.config import AtlasConfig
from nbkit.errors import NbkitError
from nbkit.features.importance import keep_importance, token_importance
from nbkit.features.neighbors import neighbors_of
from nbkit.models import LanguageModel
from nbkit.parallel.cluster import on_cluster
from tests.examples.tiny_models import D_MLP, D_MODEL, random_contexts

WRONG: list[Any] = [
    None,
    3,
    -1,
    10**30,
    1.5,
    float("nan"),
    "a",
    "",
    b"a",
    [],
    [None],
    [-1],
    [10**9],
    {},
    {"a": 1},
    object(),
]
WRONG += [np.int64(0), np.array(1), np.array([0, 1]), np.array(["a"]), torch.ones(2), True, Path("nowhere"), "x" * 300]
WRONG += ["a\0b", "\x1b[31m", "\udcff", lambda: 0, AtlasConfig]
CONFIG = AtlasConfig(layers=[0], batch_size=4, block_size=8, max_examples=6)


class Given(NamedTuple):
    model: LanguageModel
    atlas: Atlas
    folder: Path


HOOK = "blocks.0.hook_mlp_out"
SAE = nbkit.SparseAutoencoder(D_MODEL, 5)
READS_MLP = nbkit.SparseAutoencoder(D_MODEL, 5)
READS_MLP.hook = "blocks.0.mlp.hook_in"
CALLS: dict[str, Callable[[Given, Any], object]] = {
    "capture: contexts": lambda at, wrong: list(at.model.capture(wrong, HOOK)),
    "capture: hook": lambda at, wrong: list(at.model.capture(random_contexts(3, 8), wrong)),
    "capture: batch_size": lambda at, wrong: list(at.model.capture(random_contexts(3, 8), HOOK, wrong)),
    "capture: start": lambda at, wrong: list(at.model.capture(random_contexts(3, 8), HOOK, start=wrong)),
    "capture_activations: model": lambda at, wrong: nbkit.capture_activations(
        wrong, random_contexts(3, 8), HOOK, at.folder / "kept"
    ),
    "capture_activations: contexts": lambda at, wrong: nbkit.capture_activations(
        at.model, wrong, HOOK, at.folder / "kept"
    ),
    "capture_activations: out": lambda at, wrong: nbkit.capture_activations(
        at.model,
        random_contexts(3, 8),
        HOOK,
        wrong if isinstance(wrong, str | Path) else at.folder / "captured",
        progress=False,
    ),
    "capture_activations: dtype": lambda at, wrong: nbkit.capture_activations(
        at.model, random_contexts(3, 8), HOOK, at.folder / "kept", wrong
    ),
    "sae_latents: model": lambda at, wrong: nbkit.sae_latents(wrong, SAE, HOOK),
    "sae_latents: saes": lambda at, wrong: nbkit.sae_latents(at.model, wrong, HOOK),
    "sae_latents: hook": lambda at, wrong: nbkit.sae_latents(at.model, SAE, wrong),
    "sae_latents: reads": lambda at, wrong: nbkit.sae_latents(at.model, SAE, HOOK, wrong),
    "in_basis: atlas": lambda at, wrong: nbkit.in_basis(wrong, SAE),
    "in_basis: sae": lambda at, wrong: nbkit.in_basis(at.atlas, wrong),
    "in_basis: latents": lambda at, wrong: nbkit.in_basis(at.atlas, READS_MLP, wrong),
    "in_basis: neuron": lambda at, wrong: nbkit.in_basis(at.atlas, READS_MLP).neuron(wrong),
    "in_basis: threshold": lambda at, wrong: nbkit.in_basis(at.atlas, READS_MLP).neuron(1).named_clusters(wrong),
    "join_units": lambda at, wrong: nbkit.join_units(at.model, wrong),
    "join_atlases: atlases": lambda at, wrong: nbkit.join_atlases(wrong, at.folder / "joined"),
    "join_atlases: out": lambda at, wrong: nbkit.join_atlases(
        [at.atlas, at.atlas], wrong if isinstance(wrong, str | Path) else at.folder / "joined"
    ),
    "write_site: atlases": lambda at, wrong: nbkit.write_site(wrong, at.folder / "site"),
    "export_neuronpedia: out": lambda at, wrong: nbkit.export_neuronpedia(
        at.atlas, wrong if isinstance(wrong, str | Path) else at.folder / "np", layers=[0]
    ),
    "export_neuronpedia: model_id": lambda at, wrong: nbkit.export_neuronpedia(at.atlas, at.folder / "np", wrong),
    "export_neuronpedia: source_set": lambda at, wrong: nbkit.export_neuronpedia(
        at.atlas, at.folder / "np", source_set=wrong
    ),
    "export_neuronpedia: layers": lambda at, wrong: nbkit.export_neuronpedia(at.atlas, at.folder / "np", layers=wrong),
    "open_atlas": lambda at, wrong: open_atlas(wrong),
    "build_atlas: model": lambda at, wrong: build_atlas(wrong, random_contexts(9, 16), at.folder / "new"),
    "build_atlas: contexts": lambda at, wrong: build_atlas(at.model, wrong, at.folder / "new"),
    "scan_blocks: blocks": lambda at, wrong: scan_blocks(
        at.model, random_contexts(9, 16), at.folder / "new", wrong, CONFIG
    ),
    "on_cluster: client": lambda at, wrong: on_cluster(wrong).__enter__(),
    "build_atlas: out": lambda at, wrong: build_atlas(
        at.model,
        random_contexts(9, 16),
        wrong if isinstance(wrong, str | Path) else at.folder / "other",
        CONFIG,
        None,
        False,
    ),
    "build_atlas: config": lambda at, wrong: build_atlas(
        at.model, random_contexts(9, 16), at.folder / "config", wrong, None, False
    ),
    "build_atlas: maxima": lambda at, wrong: build_atlas(
        at.model, random_contexts(9, 16), at.folder / "maxima", CONFIG, wrong, False
    ),
    "neuron: layer": lambda at, wrong: at.atlas.neuron(wrong, 0),
    "neuron: index": lambda at, wrong: at.atlas.neuron(0, wrong),
    "metrics": lambda at, wrong: at.atlas.metrics(wrong, progress=False),
    "iterate": lambda at, wrong: next(at.atlas.iterate(wrong)),
    "token_strings": lambda at, wrong: at.atlas.token_strings(wrong),
    "explore: thing": lambda at, wrong: nbkit.explore(wrong),
    "explore: model": lambda at, wrong: nbkit.explore(at.atlas, wrong),
    "explore: layer": lambda at, wrong: nbkit.explore(at.atlas, None, wrong, 0),
    "explore: neuron": lambda at, wrong: nbkit.explore(at.atlas, None, 0, wrong),
    "explore: threshold": lambda at, wrong: nbkit.explore(at.atlas, None, 0, 0, wrong),
    "fetch": lambda at, wrong: assets.fetch(wrong),
    "check": lambda at, wrong: files.check(wrong),
    "clusters: threshold": lambda at, wrong: at.atlas.neuron(0, 1).clusters(wrong),
    "embeddings: kind": lambda at, wrong: at.atlas.neuron(0, 1).embeddings(wrong),
    "token_importance: model": lambda at, wrong: token_importance(wrong, at.atlas, 0, 1, [0]),
    "token_importance: examples": lambda at, wrong: token_importance(at.model, at.atlas, 0, 1, wrong),
    "keep_importance: neurons": lambda at, wrong: keep_importance(at.model, at.atlas, wrong, progress=False),
    "neighbors_of": lambda at, wrong: neighbors_of(at.atlas, wrong, progress=False),
}


@pytest.fixture(scope="module")
def given(tiny_model: Callable[[str], LanguageModel], tmp_path_factory: pytest.TempPathFactory) -> Given:
    folder = tmp_path_factory.mktemp("given")
    atlas = build_atlas(tiny_model("gpt2"), random_contexts(20, 24), folder / "atlas", CONFIG, progress=False)
    nbkit.explore(atlas)  # makes all that is made from it
    return Given(tiny_model("gpt2"), atlas, folder)


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument_is_told_in_a_sentence(
    name: str, given: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NBKIT_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    told: list[str] = []
    for wrong in WRONG:
        try:
            CALLS[name](given, wrong)
        except NbkitError as error:
            told.append(str(error).replace(str(given.folder), ""))
    assert all(said.isprintable() and len(said) <= 300 for said in told), told
    assert len(told) >= len(WRONG) // 2 or "out" in name


def test_numbers_of_numpy_and_lists_of_all_kinds_are_taken(given: Given) -> None:
    atlas, index = given.atlas, np.array([1])[0]
    assert atlas.neuron(np.int32(0), index).index == 1
    assert nbkit.explore(atlas, None, np.int64(0), index).neuron == 1
    expected = token_importance(given.model, atlas, 0, 1, [0, 1])
    for examples in (np.array([0, 1]), (0, 1), range(2), torch.arange(2)):
        for mine, theirs in zip(token_importance(given.model, atlas, 0, 1, examples), expected, strict=True):  # type: ignore[arg-type]
            np.testing.assert_array_equal(mine, theirs)
    assert atlas.token_strings(np.array([7, 8])) == atlas.token_strings([7, 8])


@pytest.mark.parametrize("index", [1.0, 0.5, True, "1", D_MLP, -1])
def test_another_neuron_is_never_given_for_one_that_is_none(index: Any, given: Given) -> None:
    with pytest.raises(NbkitError, match=r"is .*: give a whole number|has no neuron"):
        given.atlas.neuron(0, index)
