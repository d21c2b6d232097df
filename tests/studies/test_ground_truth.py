"""Neurons of an atlas as terms of merged units."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import nbkit
from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.models.sign import Sign
from nbkit.studies.ground_truth import merged, merged_neurons


def test_planted_units_are_merged_two_and_two(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    behavior = np.arange(8 * 15) % 8
    read = np.eye(8)[behavior] + 0.02 * rng.random((len(behavior), 8))
    texts = [f"input {i}" for i in range(len(behavior))]
    atlas = nbkit.atlas_from_arrays(read, np.eye(8), texts, tmp_path / "atlas", progress=False)
    units = merged_neurons(atlas, terms=(2, 4))
    assert [labeled.n_behaviors for labeled in units] == [2, 2, 2, 2, 4, 4]
    assert {labeled.group for labeled in units} == {"arrays L0"}
    for labeled in units:
        terms = [int(name.strip(",")) for name in labeled.name.split()[3:]]
        planted = labeled.unit.read.argmax(axis=1)
        np.testing.assert_array_equal(np.array(terms)[labeled.labels], planted)
        assert not labeled.ambiguous.any()
        assert set(np.flatnonzero(labeled.unit.weights)) == set(terms)


def test_a_gated_neuron_reads_with_its_gate(
    tiny_atlas: Callable[[str], Atlas], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merged, "FEWEST_OF_A_TERM", 3)
    for architecture, branch in (("gpt2", "w_in"), ("llama", "w_gate")):
        atlas = tiny_atlas(architecture)
        units = merged_neurons(atlas, terms=(2,))
        assert units
        assert {labeled.group.split()[-1] for labeled in units} <= {f"L{layer}" for layer in atlas.layers}
        for labeled in units[:5]:
            layer = int(labeled.group.split()[-1][1:])
            weights = np.stack([getattr(neuron, branch) for neuron in atlas.iterate(layer)])
            terms = [int(name.strip(",")) for name in labeled.name.split(" of ")[1].split()]
            factors = np.linalg.lstsq(weights[terms].T, labeled.unit.weights, rcond=None)[0]
            np.testing.assert_allclose(factors @ weights[terms], labeled.unit.weights, rtol=1e-4, atol=1e-6)
            assert (factors > 0).all()


def test_gated_neurons_are_merged_by_their_activations(
    tiny_atlas: Callable[[str], Atlas], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merged, "FEWEST_OF_A_TERM", 3)
    atlas = tiny_atlas("llama")
    units = merged_neurons(atlas, terms=(2,), outputs=True, most=3)
    assert units and {labeled.task for labeled in units} == {"gated"}
    assert len(units) <= 3 * len(atlas.layers)
    for labeled in units:
        layer = int(labeled.group.split()[-1][1:])
        neurons = [atlas.neuron(layer, int(name.strip(","))) for name in labeled.name.split(" of ")[1].split()]
        read = torch.from_numpy(labeled.unit.read)
        # each neuron's activations, over their mean at its own examples
        parts = [
            neuron.weights.activations(read, neuron.activation).numpy() / np.mean(neuron.peak) for neuron in neurons
        ]
        far = np.abs(parts[0] - parts[1]) > 1e-3
        np.testing.assert_array_equal(labeled.labels[far], np.argmax(parts, axis=0)[far])
        assert labeled.unit.weights.shape == labeled.other_weights.shape == (read.shape[1],)
    with pytest.raises(NbkitError, match="not of gated neurons"):
        merged_neurons(tiny_atlas("gpt2"), outputs=True)


def test_activations_below_zero_and_too_few_examples_are_refused(
    signed_atlas: Callable[[str, Sign], Atlas], tiny_atlas: Callable[[str], Atlas], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NbkitError, match="negative activations"):
        merged_neurons(signed_atlas("llama", "negative"))
    monkeypatch.setattr(merged, "FEWEST_OF_A_TERM", 10_000)
    with pytest.raises(NbkitError, match="0 units can be terms"):
        merged_neurons(tiny_atlas("gpt2"))
