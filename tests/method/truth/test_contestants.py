"""Contestants that look at text, by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nbkit.method.clusters import cosine_distances
from nbkit.method.truth.contestants import (
    CONTESTANTS,
    attended,
    centered_beside_neurons_before,
    key_token,
    loss_gradient,
    neurons_before,
    paper,
    paper_window,
    previous_layer,
    window,
)
from nbkit.method.truth.unit import Background, Features, Text, Unit

MEAN = np.array([1.0, 0.0, 0.0])


@pytest.fixture
def unit() -> Unit:
    """Two examples with windows of two tokens; the second begins with its key token."""
    tokens = np.array([[[1.0, 2, 0], [3, 0, 0]], [[0, 0, 0], [0, 4, 1]]])
    text = Text(np.array([7, 9]), ("a b", "c"), tokens)
    return Unit(
        tokens[:, -1], np.array([1.0, 1, -1]), Background(MEAN + np.array([[1.0, 0, 0], [-1, 0, 0]])), text=text
    )


def test_without_text_they_sit_a_unit_out(unit: Unit) -> None:
    around = (window, paper_window, attended, previous_layer, loss_gradient)
    of_vectors = (*around, neurons_before, centered_beside_neurons_before)
    for contestant in (key_token, *of_vectors):
        assert contestant(replace(unit, text=None)) is None
    without_vectors = replace(unit, text=Text(np.array([7, 9]), ("a b", "c")))
    for contestant in of_vectors:
        assert contestant(without_vectors) is None
    assert key_token(without_vectors) is not None


def test_the_key_token_tells_words_apart_and_nothing_else(unit: Unit) -> None:
    text = Text(np.array([7, 9, 7, 2]), ("",) * 4)
    found = key_token(replace(unit, text=text))
    assert found is not None
    same = text.keys[:, None] == text.keys
    np.testing.assert_allclose(cosine_distances(found), 1 - same, atol=1e-12)


def test_a_window_is_the_mean_of_what_is_there(unit: Unit) -> None:
    found = window(unit)
    assert found is not None
    np.testing.assert_allclose(found, [[1, 1, 0], [-0.5, 2, 0.5]])  # the missing token adds nothing


def test_the_papers_space_over_a_window_weighs_tokens_by_their_push(unit: Unit) -> None:
    found = paper_window(unit)
    assert found is not None
    # pushes 3 and 3; then 0 and 3
    np.testing.assert_allclose(found, [[2, 1, 0], [0, 4, -1]])
    opposite = replace(unit, weights=-unit.weights)  # nothing pushes: the key token alone
    again = paper_window(opposite)
    assert again is not None
    np.testing.assert_allclose(again, paper(opposite), atol=1e-9)


def test_attended_vectors_are_centered_and_the_others_are_taken_as_they_are(unit: Unit) -> None:
    vectors = {name: np.full((2, 3), value) for value, name in enumerate(("previous", "attended", "loss_gradient"), 2)}
    assert unit.text is not None
    of_all = replace(unit, text=replace(unit.text, **vectors))
    for name, expected in (("attended", [2, 3, 3]), ("previous layer", [2, 2, 2]), ("loss gradient", [4, 4, 4])):
        found = CONTESTANTS[name](of_all)
        assert found is not None
        np.testing.assert_allclose(found, [expected, expected])


def test_neurons_before_add_what_they_write_along_the_weights(unit: Unit) -> None:
    activations, written = np.array([[1.0, -2.0], [0, 3]]), np.array([[1.0, 1, 1], [0, 2, 0]])
    assert unit.text is not None
    known = replace(unit, text=replace(unit.text, neurons_before=Features(activations, written)))
    found, both = CONTESTANTS["neurons before"](known), CONTESTANTS["centered + neurons before"](known)
    assert found is not None and both is not None
    np.testing.assert_allclose(found, [[1, -4], [0, 6]])  # the weights read 1 of the first and 2 of the second
    of_centered = -1 / np.sqrt(18)  # [2, 0, 0] and [-1, 4, 1]
    assert 1 - cosine_distances(both)[0, 1] == pytest.approx((of_centered - 4 / np.sqrt(17)) / 2)
