"""The units of a tiny model's layers, on contexts labeled by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.method.truth.unit import LabeledUnit
from nbkit.models import LanguageModel
from nbkit.studies.ground_truth import text_units as module
from nbkit.studies.ground_truth.text_units import text_layers
from nbkit.studies.shared.planted import layers
from nbkit.studies.shared.planted.layers import TextUnits, planted_layers
from tests.examples.token_reads import labeled_by_hand

FEW = TextUnits(terms=(2,), methods=("means",), planted=2, merged=2, words=2)


@pytest.fixture
def llama(
    monkeypatch: pytest.MonkeyPatch, tiny_atlas: Callable[[str], Atlas], tiny_model: Callable[[str], LanguageModel]
) -> Atlas:
    labeled = labeled_by_hand()
    monkeypatch.setattr(module, "model_of", lambda *_, **__: tiny_model("llama"))
    monkeypatch.setattr(layers, "label_contexts", lambda *_, **__: labeled)
    monkeypatch.setattr(layers, "choose_contexts", lambda *_, **__: labeled)
    monkeypatch.setattr(module, "other_contexts", lambda *_, **__: labeled_by_hand(seed=1).contexts)
    monkeypatch.setattr(module, "merged_neurons", lambda *_, **__: [])  # its neurons have too few examples
    return tiny_atlas("llama")


def with_vectors(units: list[LabeledUnit], name: str) -> set[str]:
    """The tasks whose units all have some vectors in their text."""
    texts = [(labeled.task, labeled.unit.text) for labeled in units]
    return {task for task, _ in texts} - {task for task, text in texts if text is None or text.vectors[name] is None}


def test_units_of_the_held_out_half_have_what_is_around_their_vectors(llama: Atlas) -> None:
    for (_, units), is_first in zip(text_layers(llama, [1, 0], FEW, seed=0), (False, True), strict=True):
        planted = {labeled.task for labeled in units}
        assert {"concept", "merged latents"} <= planted
        for name in ("window", "attended", "loss_gradient"):
            assert with_vectors(units, name) == planted
        assert with_vectors(units, "previous") == (set() if is_first else planted)


def test_without_it_the_units_are_the_same(llama: Atlas) -> None:
    ((_, full),), ((_, plain),) = (list(text_layers(llama, [1], FEW, 0, around=around)) for around in (True, False))
    assert not with_vectors(plain, "attended") | with_vectors(plain, "previous") | with_vectors(plain, "loss_gradient")
    for one, other in zip(full, plain, strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.unit.read, other.unit.read)


def test_planted_units_come_before_those_of_the_atlas(
    llama: Atlas, monkeypatch: pytest.MonkeyPatch, tiny_model: Callable[[str], LanguageModel]
) -> None:
    [(reads, planted)] = planted_layers(tiny_model("llama"), [1], FEW, 0, around=False)
    assert planted and reads.around is None
    monkeypatch.setattr(module, "other_contexts", lambda *_, **__: labeled_by_hand(seed=1).contexts)
    monkeypatch.setattr(module, "merged_neurons", lambda *_, outputs, **__: [f"by outputs: {outputs}"])
    [(_, units)] = text_layers(llama, [1], FEW, 0, around=False)
    names = [getattr(each, "name", each) for each in units]
    assert names[: len(planted)] == [labeled.name for labeled in planted]
    assert names[-2:] == ["by outputs: False", "by outputs: True"]
    latents = units[len(planted) : -2]
    assert latents and {labeled.task for labeled in latents} == {"merged latents"}
    assert {labeled.group for labeled in latents} == {reads.group}
