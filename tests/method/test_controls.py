"""Controls: other units are never the same, and inputs are those that were asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nbkit.errors import NbkitError
from nbkit.method.controls import other_units, random_inputs, strongest_inputs
from nbkit.sae.latents import Examples


@given(st.integers(2, 200), st.integers(0, 10_000))
def test_every_unit_gets_another_and_each_is_used_once(m: int, seed: int) -> None:
    other = other_units(m, seed)
    assert not (other == np.arange(m)).any()
    np.testing.assert_array_equal(np.sort(other), np.arange(m))
    np.testing.assert_array_equal(other, other_units(m, seed))


def test_the_seed_changes_the_draws() -> None:
    assert (other_units(50, 0) != other_units(50, 1)).any()
    assert (random_inputs(1000, 50, 0) != random_inputs(1000, 50, 1)).any()


def test_one_unit_has_no_other() -> None:
    with pytest.raises(NbkitError, match="no other unit among 1"):
        other_units(1)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 100))
def test_random_inputs_are_different_and_in_order(n: int, size: int, seed: int) -> None:
    drawn = random_inputs(n, size, seed)
    assert len(drawn) == min(n, size)
    assert (np.diff(drawn) > 0).all() and drawn[0] >= 0 and drawn[-1] < n


def test_strongest_inputs_by_hand() -> None:
    activations = np.array([0.0, 3.0, 1.0, 0.0, 2.0, 1.0])
    np.testing.assert_array_equal(strongest_inputs(activations, 2), [1, 4])
    np.testing.assert_array_equal(strongest_inputs(activations, 3), [1, 2, 4])  # of equals the first
    np.testing.assert_array_equal(strongest_inputs(activations, 6), [1, 2, 4, 5])  # 0 activates nothing
    assert len(strongest_inputs(np.zeros(4), 2)) == 0


def test_places_as_examples() -> None:
    places = [np.array([4, 7]), np.array([], dtype=int), np.array([0, 1, 2])]
    examples = Examples.of_places(places)
    for unit, expected in enumerate(places):
        np.testing.assert_array_equal(examples.inputs[examples.of(unit)], expected)
    assert examples.sizes.tolist() == [2, 0, 3]
    assert examples.activations.shape == (5,) and bool(torch.isnan(examples.activations).all())
