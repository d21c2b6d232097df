"""Which neurons are put to the test, and that it is done once, with what the model can do."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbkit.atlas import neuron
from nbkit.atlas.atlas import Atlas
from nbkit.atlas.build import build_atlas
from nbkit.errors import NbkitError
from nbkit.features.showcase import featured
from nbkit.models import LanguageModel
from nbkit.models.sign import Sign
from nbkit.studies.ground_truth import drawn_neurons as module
from nbkit.studies.ground_truth import own_effects, told_from_text
from nbkit.studies.ground_truth.drawn_neurons import DRAWN_COLUMNS, chosen_neurons, real_neurons
from tests.examples.tiny_models import random_contexts


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neurons of few examples, a sentence encoder that knows a text's length, and a cache folder of one's own."""
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "EXAMPLES_ENOUGH", 6)
    monkeypatch.setattr(told_from_text, "CLUSTERED", 2)
    monkeypatch.setattr(own_effects, "FEWEST_OF_A_CLUSTER", 2)
    monkeypatch.setattr(neuron, "PAPER_CUT", 0.1)  # random neurons are tight

    def embedded(texts: tuple[str, ...]) -> np.ndarray:
        return np.array([[1.0, len(text), text.count("e")] for text in texts])

    monkeypatch.setattr(told_from_text, "sentence_embeddings", embedded)


@pytest.fixture(scope="module")
def many_examples(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Callable[[str], LanguageModel]
) -> Callable[[str], Atlas]:
    """An atlas of more text than `tiny_atlas`, with another embedding than it was built with."""

    def build(architecture: str) -> Atlas:
        contexts = random_contexts(300, 32, last_special=architecture == "bert")
        built = build_atlas(tiny_model(architecture), contexts, tmp_path_factory.mktemp("atlas"), progress=False)
        return built.with_embedding("paper")

    return cache(build)


def test_neurons_of_enough_examples_and_clusters_are_drawn_and_shown(many_examples: Callable[[str], Atlas]) -> None:
    atlas = many_examples("llama")
    table = atlas.neurons
    able = table[(table["n_examples"] >= 6) & (table["n_clusters"] >= 2)]
    chosen = chosen_neurons(atlas, 5, seed=0)
    assert chosen["drawn"].sum() == 5 and set(chosen.index) <= set(able.index)
    shown = {(choice.neuron.layer, choice.neuron.index) for choice in featured(atlas)}
    places = set(zip(able["layer"], able["index"], strict=True))
    mine = chosen[chosen["shown"]]
    assert set(zip(mine["layer"], mine["index"], strict=True)) == shown & places
    assert chosen_neurons(atlas, 10**6, seed=0)["drawn"].sum() == len(able)
    drawn = [chosen_neurons(atlas, 5, seed).query("drawn").index.tolist() for seed in range(5)]
    assert drawn[0] == chosen.query("drawn").index.tolist() and any(each != drawn[0] for each in drawn)


def most_examples(atlas: Atlas, n_neurons: int, seed: int) -> pd.DataFrame:
    """In place of `chosen_neurons`."""
    most = atlas.neurons.nlargest(n_neurons, "n_examples").sort_index()
    return most[["layer", "index"]].assign(shown=most["index"] % 2 == 0, drawn=True)


def test_they_are_measured_once(many_examples: Callable[[str], Atlas], monkeypatch: pytest.MonkeyPatch) -> None:
    atlas = many_examples("llama")
    monkeypatch.setattr(module, "chosen_neurons", most_examples)
    table = real_neurons(atlas, 6, n_jobs=1, progress=False)
    assert tuple(table.columns) == DRAWN_COLUMNS
    chosen = most_examples(atlas, 6, 0)
    for test in ("text", "output"):
        rows = table[table["test"] == test]
        assert set(rows["grouping"]) >= {"own", "pre_mlp", "shuffled"}
        found = rows[["layer", "index", "shown", "drawn"]].drop_duplicates()
        assert len(found) > 3 and len(found.merge(chosen)) == len(found)
    output = table[table["test"] == "output"]
    assert np.isfinite(output[["zeroed", "other", "zeroed_p", "other_nats"]].to_numpy()).all()
    assert (output["zeroed_nats"] > 0).all()
    monkeypatch.setattr(module, "NEURONS_A_TASK", 2)
    monkeypatch.setattr(module, "DRAWN_RECIPE", -1)
    pd.testing.assert_frame_equal(table, real_neurons(atlas, 6, n_jobs=1, progress=False))  # in other parts
    monkeypatch.setattr(module, "_of_some", None)
    pd.testing.assert_frame_equal(table, real_neurons(atlas, 6, n_jobs=1, progress=False))


def test_an_encoder_says_nothing_next(many_examples: Callable[[str], Atlas], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "chosen_neurons", most_examples)
    table = real_neurons(many_examples("bert"), 3, n_jobs=1, progress=False)
    assert set(table["test"]) == {"text"} and tuple(table.columns) == DRAWN_COLUMNS


def test_what_is_refused(
    many_examples: Callable[[str], Atlas],
    signed_atlas: Callable[[str, Sign], Atlas],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(NbkitError, match="of negative activations"):
        real_neurons(signed_atlas("llama", "negative"))
    with pytest.raises(NbkitError, match="n_neurons is 0: it must be at least 1"):
        real_neurons(many_examples("llama"), 0)
    monkeypatch.setattr(module, "EXAMPLES_ENOUGH", 10_000)
    with pytest.raises(NbkitError, match="no neuron has 10000 examples"):
        real_neurons(many_examples("llama"), 3, n_jobs=1, progress=False)
