"""Clusters told from text: neurons whose words and sentences are known, and each part beside its definition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nbkit.method.average_precision import average_precision
from nbkit.studies.ground_truth import told_from_text as module
from nbkit.studies.ground_truth.told_from_text import (
    DRAWS,
    EXAMPLES_TOLD,
    OWN,
    RANDOM,
    SCORES,
    scores,
    told_from_text,
)
from tests.examples.clustered_neuron import clustered_neuron

SENTENCES = {f"about topic{topic}": np.eye(8)[topic] for topic in range(8)}


@pytest.fixture(autouse=True)
def sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence encoder that knows the topic alone."""

    def embedded(texts: tuple[str, ...]) -> np.ndarray:
        return np.stack([SENTENCES[text.rpartition(" ")[0]] for text in texts])

    monkeypatch.setattr(module, "sentence_embeddings", embedded)


def told(behavior: np.ndarray, held: np.ndarray, **how: object) -> pd.DataFrame:
    neuron = clustered_neuron(behavior, **how)  # type: ignore[arg-type]
    return pd.DataFrame(told_from_text(neuron, held, np.random.default_rng(0)))


def test_a_cluster_that_text_tells_has_one() -> None:
    rng = np.random.default_rng(1)
    behavior, held = rng.permutation(np.repeat([0, 1, 2], [20, 16, 12])), rng.random(EXAMPLES_TOLD) < 0.5
    found = told(behavior, held)
    own = found[found["grouping"] == OWN]
    np.testing.assert_array_equal(own[list(SCORES)], 1)
    assert sorted(own["size"]) == sorted(np.bincount(behavior[~held])) and (own["held_out"] == held.sum()).all()
    assert sorted(own["found"]) == sorted(np.bincount(behavior[held]))
    np.testing.assert_allclose(own["share"], own["size"] / (~held).sum())
    for found_, chance in zip(own["found"], own["chance"], strict=True):
        truth = np.arange(held.sum()) < found_
        assert chance == pytest.approx(average_precision(truth, np.zeros(len(truth))))


def test_each_score_knows_its_part() -> None:
    """Key words that have nothing to do with the behavior, and sentences that tell it; then the other way around."""
    rng = np.random.default_rng(2)
    behavior, held = rng.permutation(np.repeat([0, 1], 30)), rng.random(60) < 0.5
    words = rng.integers(0, 3, 60)
    own = told(behavior, held, words=words).query("grouping == @OWN")
    assert (own["sentence"] == 1).all() and (own["text"] > own["chance"] + 0.2).all()
    assert (np.abs(own["word"] - own["chance"]) < 0.2).all()
    weights = np.array([3.0, 3.0, 0, 0, 0, 0])
    by_word = told(words, held, words=words, w_in=np.ones(6)).query("grouping == @OWN")
    assert (by_word["word"] == 1).all()
    assert np.isfinite(told(behavior, held, donor=weights)["text"]).all()


def test_random_groups_are_told_as_far_as_vectors_and_texts_go_together() -> None:
    rng = np.random.default_rng(3)
    behavior, held = rng.permutation(np.repeat([0, 1, 2], 20)), rng.random(60) < 0.5
    above = []
    for words in (rng.permutation(np.arange(60) % 4), behavior):
        found = told(behavior, held, words=words)
        drawn = found[found["grouping"] == RANDOM]
        assert len(drawn) > DRAWS
        above.append((drawn["word"] - drawn["chance"]).mean())
    assert abs(above[0]) < 0.06 < 0.1 < above[1]


def test_clusters_of_each_space_are_its_own() -> None:
    """The neuron reads behaviors 0 and 1 alike and 2 apart; the vector by itself tells all; another neuron 0 from the
    others."""
    rng = np.random.default_rng(4)
    behavior, held = rng.permutation(np.repeat([0, 1, 2], 20)), rng.random(60) < 0.5
    found = told(behavior, held, donor=np.array([1.0, 1, 1, 1, 1, 1]))
    assert {grouping: len(rows) for grouping, rows in found.groupby("grouping") if grouping != RANDOM} == {
        OWN: 3,
        "pre_mlp": 3,
        "shuffled": 3,
    }


def test_no_half_to_cluster_or_to_test() -> None:
    behavior = np.arange(40) % 2
    assert told(behavior, np.zeros(40, dtype=bool)).empty
    assert told(behavior, np.arange(40) >= 4).empty
    assert told(np.zeros(40, dtype=int), np.arange(40) >= 20).empty, "one cluster: nothing to tell it from"


def test_at_most_so_many_examples_are_looked_at() -> None:
    behavior = np.arange(150) % 2
    found = told(behavior, np.arange(150) % 4 >= 2)
    own = found[found["grouping"] == OWN]
    assert own["size"].sum() + own["held_out"].iloc[0] == EXAMPLES_TOLD


def test_what_the_sentence_encoder_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tokens that are one character, and one that is a part of none."""
    read: list[str] = []

    def embedded(texts: tuple[str, ...]) -> np.ndarray:
        read.extend(texts)
        return np.eye(len(texts))

    monkeypatch.setattr(module, "sentence_embeddings", embedded)
    behavior = np.arange(20) % 2
    raw = [((" caf", "\udcc3", "\udca9", "\udce2"), 1)] * 20
    neuron = replace(clustered_neuron(behavior), snippet_tokens=raw)
    assert list(told_from_text(neuron, np.arange(20) >= 10, np.random.default_rng(0)))
    assert set(read) == {"caf\u00e9\ufffd"}


def test_scores_one_by_one() -> None:
    rng = np.random.default_rng(5)
    distances, labels = rng.random((9, 14)), rng.permutation(np.arange(14) % 4)
    for cluster in range(4):
        expected = [
            np.mean([row[i] for i in range(14) if labels[i] == cluster])
            - np.mean([row[i] for i in range(14) if labels[i] != cluster])
            for row in distances
        ]
        np.testing.assert_allclose(scores(distances, labels == cluster), expected)
