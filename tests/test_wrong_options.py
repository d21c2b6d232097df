"""Whatever an option of a public function or class is given: a result, or one sentence that says why not."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import nbkit
from nbkit.errors import NbkitError, printable
from nbkit.method.truth.unit import Background, LabeledUnit, Unit
from nbkit.models import LanguageModel

SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6)
DTYPES = st.sampled_from(["f2", "f4", "f8", "i1", "i4", "i8", "u2", "?", "c8", "U3", "O", "M8[s]"])
ARRAYS = arrays.arrays(DTYPES.map(np.dtype), SHAPES)
TENSORS = arrays.arrays(st.sampled_from(["f4", "f8", "i8", "?", "c8"]).map(np.dtype), SHAPES).map(torch.from_numpy)
# Sizes that are just too large for the machine are left out: they need no sentence of ours.
NUMBERS = st.one_of(st.integers(-9, 300), st.just(2**31), st.just(-(10**30)), st.just(10**30), st.floats())
PLAIN = st.one_of(st.none(), st.booleans(), NUMBERS, st.complex_numbers(), st.text(max_size=9), st.binary(max_size=9))
ANYTHING = st.one_of(
    PLAIN,
    ARRAYS,
    TENSORS,
    st.lists(PLAIN, max_size=4),
    st.dictionaries(st.text(max_size=3), PLAIN, max_size=2),
    st.builds(object),
)
IMMATERIAL = {"progress"}
"""Options that may be anything, as truth values may."""


class Thing(NamedTuple):
    """A public name and arguments with which it works."""

    make: Callable[..., object]
    arguments: dict[str, Any]


def _things() -> dict[str, Thing]:
    generator = torch.Generator().manual_seed(0)
    h = torch.rand(40, 6, generator=generator)
    vectors, labels = h[:8].double().numpy(), np.array([0, 0, 0, 1, 1, 1, 2, 2])
    sae = nbkit.SparseAutoencoder(6, 5)
    seen = Unit(vectors, vectors[0], Background(vectors))
    labeled = LabeledUnit(seen, vectors[1], labels, labels < 0, "a unit", "a layer", "a task")
    config = nbkit.SaeConfig(d_sae=5, batch_size=8)
    loss = nbkit.NeuronEmbeddingLoss(6, 5)

    def benchmark(embed: Any, units: Any, cluster: Any) -> object:
        # None would be the standard units, minutes of work
        return nbkit.benchmark(embed, [labeled] if units is None else units, cluster)

    return {
        "AtlasConfig": Thing(nbkit.AtlasConfig, {}),
        "SaeConfig": Thing(nbkit.SaeConfig, {}),
        "NeuronEmbeddingLoss": Thing(nbkit.NeuronEmbeddingLoss, {"d_in": 6, "d_sae": 5}),
        "NeuronEmbeddingLoss.forward": Thing(loss.forward, {"h": h, "z": h[:, :5], "w_enc": sae.w_enc.detach()}),
        "SparseAutoencoder": Thing(nbkit.SparseAutoencoder, {"d_in": 6, "d_sae": 5}),
        "SparseAutoencoder.encode": Thing(sae.encode, {"h": h}),
        "SparseAutoencoder.active": Thing(sae.active, {"h": h}),
        "SparseAutoencoder.decode": Thing(sae.decode, {"z": h[:, :5]}),
        "SparseAutoencoder.forward": Thing(sae.forward, {"h": h}),
        "SparseAutoencoder.load": Thing(nbkit.SparseAutoencoder.load, {"path": "nowhere"}),
        "SparseAutoencoder.save": Thing(sae.save, {"folder": "saved"}),
        "chance_cut": Thing(nbkit.chance_cut, {"embeddings": vectors}),
        "cosine_distances": Thing(nbkit.cosine_distances, {"embeddings": vectors}),
        "feature_clusters": Thing(nbkit.feature_clusters, {"embeddings": vectors}),
        "feature_embeddings": Thing(
            nbkit.feature_embeddings, {"codes": vectors, "directions": vectors[:6], "weights": vectors[0]}
        ),
        "neuron_embeddings": Thing(nbkit.neuron_embeddings, {"pre_mlp": vectors, "w_in": vectors[0]}),
        "polysemanticity": Thing(nbkit.polysemanticity, {"embeddings": vectors, "labels": labels}),
        "train_sae": Thing(nbkit.train_sae, {"activations": h, "config": config, "progress": False}),
        "evaluate_sae": Thing(nbkit.evaluate_sae, {"sae": sae, "train": h, "test": h}),
        "load_sae": Thing(nbkit.load_sae, {"path": "nowhere"}),
        "load_model": Thing(nbkit.load_model, {"model": "nowhere/at-all"}),
        "atlas_from_arrays": Thing(
            nbkit.atlas_from_arrays,
            {"read": h, "weights": h[:3], "inputs": ["a"] * 40, "out": "atlas", "progress": False},
        ),
        "atlas_from_module": Thing(
            nbkit.atlas_from_module,
            {
                "module": torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU()),
                "layers": "0",
                "inputs": h,
                "out": "atlas",
                "shown": ["a"] * 40,
                "progress": False,
            },
        ),
        "benchmark": Thing(benchmark, {"embed": lambda unit: unit.read, "units": [labeled], "cluster": None}),
        "leaderboard": Thing(nbkit.leaderboard, {"table": nbkit.benchmark(lambda unit: unit.read, [labeled])}),
        "atlas_for": Thing(nbkit.atlas_for, {"model": "./nowhere"}),
        "open_atlas": Thing(nbkit.open_atlas, {"path": "nowhere"}),
        "open_contexts": Thing(nbkit.open_contexts, {"folder": "nowhere"}),
    }


THINGS = _things()
OPTIONS = [
    (name, option)
    for name, thing in THINGS.items()
    for option in inspect.signature(thing.make).parameters
    if option not in IMMATERIAL
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Names that are taken for paths lead into an empty folder; no download is tried."""
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NBKIT_OFFLINE", "1")
    (tmp_path / "here").mkdir()
    with chdir(tmp_path / "here"):
        yield


def check_told(make: Callable[..., object], arguments: dict[str, Any]) -> None:
    try:
        make(**arguments)
    except NbkitError as error:
        said = str(error)
        assert said == printable(said) and 0 < len(said) <= 300, said


@pytest.mark.parametrize(("name", "option"), OPTIONS)
@given(value=ANYTHING)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_option_that_is_anything(name: str, option: str, value: Any) -> None:
    thing = THINGS[name]
    check_told(thing.make, {**thing.arguments, option: value})


@pytest.mark.parametrize("option", ["corpus", "model", "length", "limit", "field", "unique", "name", "out"])
@given(value=ANYTHING)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_option_of_contexts_that_is_anything(
    option: str, value: Any, tiny_model: Callable[[str], LanguageModel]
) -> None:
    arguments = {"corpus": ["a b c d e f g h i j k l m n o p"] * 3, "model": tiny_model("gpt2"), "length": 8}
    check_told(nbkit.load_contexts, {**arguments, option: value})


def test_every_public_function_is_tried() -> None:
    # test_wrong_inputs.py has those that need an atlas or a model
    elsewhere = {"build_atlas", "capture_activations", "explore", "export_neuronpedia", "load_contexts", "write_site"}
    elsewhere |= {"in_basis", "join_atlases", "on_cluster", "scan_blocks", "join_units", "sae_latents"}
    functions = {name for name in nbkit.__all__ if inspect.isfunction(getattr(nbkit, name))}
    assert functions - elsewhere <= {name.partition(".")[0] for name in THINGS}
