"""What each behavior of a neuron is: key tokens that are counted and central examples, of known clusters."""

from __future__ import annotations

import numpy as np

from nbkit.atlas.snippets import Snippet
from nbkit.studies.shared.behaviors import behaviors_told, key_tokens
from nbkit.studies.shared.table import Excerpt
from tests.examples.neuron import ExampleNeuron


def snippet(key_token: str, key_word: int = 0) -> Snippet:
    """A key token after twelve numbered ones, and seven after it."""
    tokens = (*(f" {i}" for i in range(12)), key_token, *(f" {i}" for i in range(12, 19)))
    return Snippet(tokens, (0.0,) * len(tokens), 12, 0, 12, key_word)


def example() -> ExampleNeuron:
    """Three examples in one direction, about the middle one of which the others lie; one in another."""
    embeddings = np.array([[1, 0.1, 0], [1, 0, 0], [1, -0.1, 0], [0, 0, 1]], dtype=np.float32)
    words = [(" London", 1), (" Paris", 2), (" London", 1), ("\t", 3)]
    return ExampleNeuron(3, 4, [snippet(*word) for word in words], embeddings)


def test_a_cluster_is_told_by_its_key_tokens_and_its_medoid() -> None:
    cells = behaviors_told(example()).cells
    assert cells["examples"].to_dict() == {"1": 3, "2": 1}
    assert cells["most frequent key tokens"].tolist() == ["London (2), Paris (1)", "→ (1)"]
    middle = Excerpt("… 3 4 5 6 7 8 9 10 11", " Paris", " 12 13 14 15 16…")
    assert cells["central example"].iloc[0] == middle


def test_the_first_clusters_may_have_titles_and_the_last_are_left_out() -> None:
    assert list(behaviors_told(example(), titles=("common", "rare")).cells.index) == ["common", "rare"]
    assert list(behaviors_told(example(), titles=("common",), most=1).cells.index) == ["common"]


def test_words_that_look_alike_are_counted_apart_and_only_the_most_frequent_are_named() -> None:
    assert key_tokens([snippet("a", 1), snippet("a", 2), snippet("a", 1)]) == "a (2), a (1)"
    assert key_tokens([snippet(name, i) for i, name in enumerate("abcde")]) == "a (1), b (1), c (1), d (1)"
