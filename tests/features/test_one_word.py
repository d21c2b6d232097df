"""How often the examples of one neuron on one word fall apart."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.features import one_word
from nbkit.features.one_word import ONE_WORD, one_word_splits
from nbkit.method.clusters import feature_clusters


def test_sets_of_one_word_are_counted(own_atlas: Callable[[str], Atlas], monkeypatch: pytest.MonkeyPatch) -> None:
    atlas = own_atlas("llama")
    most = []
    for row in range(atlas.n_neurons):
        neuron = atlas.neuron(*atlas.at(row))
        counts = np.bincount(atlas.words[neuron.key_ids]) if len(neuron) else np.zeros(1, int)
        if neuron.has_direction() and counts.max() >= 2:
            most.append((neuron, np.flatnonzero(atlas.words[neuron.key_ids] == counts.argmax())))
    full = max(len(examples) for _, examples in most)
    monkeypatch.setattr(one_word, "ONE_WORD_SIZES", (2, full))
    monkeypatch.setattr(one_word, "FEWEST_SETS", 1)
    table = one_word_splits(atlas)
    assert (atlas.path / ONE_WORD).is_file() and one_word_splits(atlas).equals(table)
    assert set(table.columns) == {"examples", "clusters", "share", "sets"}
    pairs = table[table["examples"] == 2]
    assert pairs["clusters"].tolist() == [2] and pairs["sets"].tolist() == [len(most)]
    # all examples of the word: nothing is drawn
    found = [
        feature_clusters(neuron.embeddings()[examples], 0.5).n_clusters
        for neuron, examples in most
        if len(examples) == full
    ]
    of_full = table[table["examples"] == full]
    assert (of_full["sets"] == len(found)).all()
    for k, share in zip(of_full["clusters"], of_full["share"], strict=True):
        assert share == pytest.approx(np.mean([n >= k for n in found]))
    assert of_full["clusters"].max() == max(2, *found)


def test_shares_are_of_sets_with_at_least_so_many_clusters(
    own_atlas: Callable[[str], Atlas], monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = itertools.cycle([1, 3, 1, 2])
    monkeypatch.setattr(one_word, "feature_clusters", lambda *_: SimpleNamespace(n_clusters=next(numbers)))
    monkeypatch.setattr(one_word, "ONE_WORD_SIZES", (2,))
    monkeypatch.setattr(one_word, "FEWEST_SETS", 1)
    table = one_word_splits(own_atlas("llama"))
    [n] = table["sets"].unique()
    found = list(itertools.islice(itertools.cycle([1, 3, 1, 2]), n))
    assert n > 4 and table["clusters"].tolist() == [2, 3]
    assert table["share"].tolist() == pytest.approx([np.mean(np.array(found) >= k) for k in (2, 3)])


def test_a_size_at_which_no_set_falls_apart_is_told(
    own_atlas: Callable[[str], Atlas], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_word, "feature_clusters", lambda *_: SimpleNamespace(n_clusters=1))
    monkeypatch.setattr(one_word, "ONE_WORD_SIZES", (2,))
    monkeypatch.setattr(one_word, "FEWEST_SETS", 1)
    table = one_word_splits(own_atlas("llama"))
    assert table[["examples", "clusters", "share"]].to_numpy().tolist() == [[2, 2, 0]] and (table["sets"] > 4).all()


def test_too_few_sets_tell_nothing(own_atlas: Callable[[str], Atlas]) -> None:
    assert one_word_splits(own_atlas("llama")).empty or (one_word_splits(own_atlas("llama"))["sets"] >= 20).all()
