"""Faithfulness of embeddings: exact for linear neurons, against slow loops, better for the gradient of gated ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import pandas as pd
import pytest
import torch

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.neuron import InputWeights, Neuron
from nbkit.atlas.reads import Reads
from nbkit.errors import NbkitError
from nbkit.models.site import Site, embedding_kinds
from nbkit.studies.neuron_embeddings.ablation import activation_changes, correlations, faithfulness
from tests.examples.atlas import example_atlas

D = 32


def random_neuron(seed: int, activation: str, *, gated: bool, n: int = 8) -> Neuron:
    """A neuron with random weights, biases and examples."""
    rng = np.random.default_rng(seed)

    def weights() -> InputWeights:
        w_in, w_gate = rng.normal(size=(2, D)).astype(np.float32)
        b_in, b_gate = rng.normal(size=2).tolist()
        return InputWeights(w_in, b_in, w_gate, b_gate) if gated else InputWeights(w_in, b_in)

    return Neuron(
        site=Site.of_neurons(0, 100, D, gated, activation),
        index=seed,
        max_activation=1.0,
        context=np.arange(n),
        position=np.ones(n, dtype=int),
        peak=np.ones(n, dtype=np.float32),
        key_ids=np.zeros(n, dtype=int),
        pre_mlp=rng.normal(size=(n, D)).astype(np.float32),
        window=np.zeros((n, 31), dtype=np.float32),
        weights=weights(),
        donor=weights(),
        embedding="gradient" if gated else "input",
        reads=Reads(torch.zeros(3, D)),
        snippet_tokens=[(("a",), 0)] * n,
    )


class NeuronsAtlas:
    """An atlas of the neurons that it is given."""

    def __init__(self, neurons: list[Neuron]) -> None:
        self._neurons = {neuron.index: neuron for neuron in neurons}
        self.neurons = pd.DataFrame([{"layer": 0, "index": n.index, "n_examples": len(n)} for n in neurons])

    def neuron(self, layer: int, index: int) -> Neuron:
        assert layer == 0
        return self._neurons[index]


def scores(neurons: list[Neuron], **options: float) -> pd.DataFrame:
    atlas = cast(Atlas, NeuronsAtlas(neurons))
    return faithfulness(atlas, progress=False, **options)  # type: ignore[arg-type]


def slow_change(neuron: Neuron, h: np.ndarray, removed: np.ndarray) -> float:
    """Activation minus activation without the removed coordinates, in NumPy, for tanh alone."""
    weights, kept = neuron.weights, h.astype(np.float64) * np.where(removed, 0.0, 1.0)

    def activation(x: np.ndarray) -> float:
        linear = float(x @ weights.w_in.astype(np.float64)) + weights.b_in
        if weights.w_gate is None:
            return float(np.tanh(linear))
        return float(np.tanh(float(x @ weights.w_gate.astype(np.float64)) + weights.b_gate)) * linear

    return activation(h.astype(np.float64)) - activation(kept)


def test_for_a_linear_neuron_the_input_embedding_says_all() -> None:
    table = scores([random_neuron(seed, "linear", gated=False) for seed in range(5)])
    of = table.groupby("kind")["faithfulness"]
    assert of.min()["input"] == pytest.approx(1, abs=1e-6)
    assert of.min()["gradient"] == pytest.approx(1, abs=1e-6)
    assert of.max()["shuffled"] < 0.9 and of.max()["pre_mlp"] < 0.9


def test_what_a_linear_neuron_loses_is_the_sum_of_its_embedding() -> None:
    neuron = random_neuron(1, "linear", gated=False)
    removed = np.random.default_rng(0).random((20, D)) < 0.3
    attributed = neuron.embeddings("input").astype(np.float64) @ removed.T
    np.testing.assert_allclose(activation_changes(neuron, removed, 100), attributed, atol=1e-5)


def test_for_gated_neurons_the_gradient_says_more_than_either_branch() -> None:
    means = (
        scores([random_neuron(seed, "silu", gated=True) for seed in range(60)]).groupby("kind")["faithfulness"].mean()
    )
    assert set(means.index) == set(embedding_kinds([Site.of_neurons(0, 2, D, True, "silu")]))
    assert means["gradient"] > max(means["gate"], means["up"]) + 0.1
    assert abs(means["shuffled"]) < 0.1 and abs(means["pre_mlp"]) < 0.1


@pytest.mark.parametrize("gated", [False, True])
def test_changes_equal_a_slow_loop(gated: bool) -> None:
    neuron = random_neuron(3, "tanh", gated=gated)
    removed = np.random.default_rng(1).random((7, D)) < 0.2
    removed[0], removed[1] = False, True
    changes = activation_changes(neuron, removed, max_examples=5)
    expected = [[slow_change(neuron, h, row) for row in removed] for h in neuron.pre_mlp[:5]]
    assert changes.shape == (5, 7) and changes.dtype == np.float64
    np.testing.assert_allclose(changes, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(changes[:, 0], 0, atol=1e-12)


def test_correlations_equal_numpy_s() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(3, 2, size=(2, 30, 12))
    expected = [np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(correlations(a, b), expected, atol=1e-12)
    np.testing.assert_allclose(correlations(a, -2 * a + 1), -1)
    np.testing.assert_allclose(correlations(7 * a, b), expected, atol=1e-12)


def test_what_does_not_vary_correlates_with_nothing() -> None:
    a = np.random.default_rng(0).normal(size=(2, 9))
    assert correlations(np.full((2, 9), 3.0), a).tolist() == [0, 0]
    assert correlations(a, np.zeros((2, 9))).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("architecture", "kinds"),
    [(name, embedding_kinds([Site.of_neurons(0, 2, D, name == "llama", "silu")])) for name in ("gpt2", "llama")],
)
def test_of_a_real_atlas_every_drawn_neuron_has_every_kind(
    architecture: str, kinds: tuple[str, ...], tiny_atlas: Callable[[str], Atlas]
) -> None:
    atlas = tiny_atlas(architecture)
    table = faithfulness(atlas, n_neurons=12, max_examples=4, progress=False)
    assert list(table) == ["layer", "index", "kind", "faithfulness"]
    assert table.groupby(["layer", "index"], sort=False)["kind"].agg(tuple).tolist() == [kinds] * 12
    counts = atlas.neurons.set_index(["layer", "index"])["n_examples"]
    assert (counts.loc[list(zip(table["layer"], table["index"], strict=True))] >= 2).all()
    assert table["faithfulness"].between(-1, 1).all()
    means = table.groupby("kind")["faithfulness"].mean()
    assert means.idxmax() in ("gradient", "input")
    assert means["shuffled"] < 0.5 * means["gradient"]


def test_the_seed_draws_the_neurons_and_the_sets() -> None:
    neurons = [random_neuron(seed, "silu", gated=True) for seed in range(20)]
    one, same, other = (scores(neurons, n_neurons=5, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert one["index"].nunique() == 5
    assert one["index"].is_monotonic_increasing
    assert one["index"].tolist() != other["index"].tolist()
    assert scores(neurons, n_neurons=50)["index"].nunique() == 20


def test_only_the_first_examples_count() -> None:
    neuron = random_neuron(2, "silu", gated=True, n=8)
    changed = random_neuron(2, "silu", gated=True, n=8)
    changed.pre_mlp[4:] = 5.0
    pd.testing.assert_frame_equal(scores([neuron], max_examples=4), scores([changed], max_examples=4))
    assert not scores([neuron]).equals(scores([changed]))


def test_too_little_text_is_refused() -> None:
    with pytest.raises(NbkitError, match="no neuron has two examples: scan more text"):
        faithfulness(example_atlas([{"n_examples": 1}, {"n_examples": 0}]), progress=False)


def test_the_gradient_is_the_best_attribution_of_a_small_change() -> None:
    """Removing one coordinate after another: what is left of the change is of second order in its size."""
    neuron = random_neuron(5, "silu", gated=True)
    neuron.pre_mlp[:] *= 1e-3
    changes = activation_changes(neuron, np.eye(D, dtype=bool), 8)
    torch.testing.assert_close(neuron.embeddings("gradient"), changes.astype(np.float32), rtol=1e-2, atol=1e-5)
