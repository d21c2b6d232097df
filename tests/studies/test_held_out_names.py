"""Whether names hold: the measure by loops and on planted behaviors, who is tested, and the verdicts."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.neuron import InputWeights
from nbkit.features.in_basis import FeatureBasis, in_basis
from nbkit.sae.architecture import Architecture
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.studies.better_basis import held_out_names
from nbkit.studies.better_basis.held_out_names import (
    NAMING_CONDITIONS,
    aucs,
    distances_to,
    held_names,
    names_on_held_out,
    random_basis,
)
from nbkit.studies.better_basis.named_clusters import LayerInBasis
from nbkit.studies.shared.auc import auc_of
from tests.features.test_in_basis import reading


def test_one_without_a_direction_is_at_distance_1_of_all() -> None:
    clustered, others = np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[0.0, 0.0], [2.0, 0.0], [-1.0, 0.0]])
    np.testing.assert_allclose(distances_to(clustered, others), [[1, 1], [0, 1], [2, 1]])


class Planted:
    """Examples of two behaviors, each of one feature that pushes the neuron, and a third feature that comes and goes;
    the dictionary has just these."""

    activation = "relu"

    def __init__(self, n: int = 40) -> None:
        rng = np.random.default_rng(0)
        self.behavior = np.arange(n) // 2 % 2
        self.odd = np.arange(n) % 2 == 1
        h = np.zeros((n, 5), dtype=np.float32)
        h[np.arange(n), self.behavior] = rng.uniform(1, 2, size=n)
        h[:, 2] = 0.3 * rng.integers(0, 2, size=n)
        self.pre_mlp = h
        self.weights = InputWeights(np.array([1, 1, 0.2, 0, 0], dtype=np.float32), 0.0)


def dictionary(directions: np.ndarray) -> FeatureBasis:
    """A layer of mean 0 in the basis of directions of length 1, a feature's activity being a vector's part along it."""
    d, f = torch.tensor(directions, dtype=torch.float32), len(directions)
    tensors = {"w_enc": d.T, "b_enc": torch.zeros(f), "w_dec": d, "b_dec": torch.zeros(d.shape[1])}
    tensors["threshold"] = torch.zeros(())
    sae = SparseAutoencoder.of(Architecture(d.shape[1], f), tensors).requires_grad_(False)
    basis = FeatureBasis(None, None, sae, sae.sha256)  # type: ignore[arg-type]
    basis.__dict__["mean"] = np.zeros(d.shape[1])
    return basis


def test_the_name_of_a_planted_behavior_tells_it_and_another_feature_does_not() -> None:
    planted: Any = Planted()
    tested = aucs(dictionary(np.eye(5)), planted.weights, planted, planted.odd)
    assert tested[:, 0].tolist() == [1, 1]
    inside = (planted.behavior == 0)[planted.odd]
    chance = float(auc_of(planted.pre_mlp[planted.odd][:, 2:3], inside)[0])
    assert sorted(tested[:, 1]) == pytest.approx(sorted([chance, 1 - chance]))  # the third feature alone is beside it
    third = InputWeights(np.eye(5, dtype=np.float32)[2], 0.0)  # all that pushes this reader is in every cluster
    assert not len(aucs(dictionary(np.eye(5)), third, planted, planted.odd))


def noting(function: Callable[..., Any], seen: list[np.ndarray]) -> Callable[..., Any]:
    """The function, keeping what it is given first."""

    def noted(rows: np.ndarray, other: Any) -> Any:
        seen.append(rows)
        return function(rows, other)

    return noted


def test_what_is_held_out_makes_neither_clusters_nor_names(monkeypatch: pytest.MonkeyPatch) -> None:
    planted: Any = Planted()
    seen: list[np.ndarray] = []
    for name in ("feature_clusters", "carried"):
        monkeypatch.setattr(held_out_names, name, noting(getattr(held_out_names, name), seen))
    weights: Any = SimpleNamespace(on_the_whole=noting(planted.weights.on_the_whole, seen))
    aucs(dictionary(np.eye(5)), weights, planted, planted.odd)
    before = list(seen)
    planted.pre_mlp[planted.odd] = np.random.default_rng(3).normal(size=(20, 5))
    seen.clear()
    aucs(dictionary(np.eye(5)), weights, planted, planted.odd)
    assert [len(rows) for rows in seen] == [20, 20, 20]
    for mine, other in zip(seen, before, strict=True):
        np.testing.assert_array_equal(mine[:, mine.any(axis=0)], other[:, other.any(axis=0)])


def test_neurons_with_examples_on_both_sides_are_tested_in_all_conditions(tiny_atlas: Callable[[str], Atlas]) -> None:
    atlas = tiny_atlas("llama")
    basis = in_basis(atlas, reading())
    layer = LayerInBasis(basis, 50.0)
    table = names_on_held_out(layer, 2, progress=False)
    documents = atlas.contexts.documents
    sides = {n.index: np.bincount(documents[n.context] % 2, minlength=2) for n in atlas.iterate(1)}
    assert table["index"].nunique() > 2 and set(table["condition"]) == set(NAMING_CONDITIONS)
    assert all(sides[index].min() >= 2 for index in table["index"])
    able = [neuron.index for neuron in atlas.iterate(1) if len(neuron) >= 4]
    others = random_basis(basis, np.random.default_rng(0).permutation(able)[:10], 0)
    assert (others.sae.d_sae, others.sae.k, others.latents) == (30, 4, None) and others.sha256 != basis.sha256
    for index, condition, *found in table.to_numpy().tolist():
        neuron = atlas.neuron(1, index)
        weights = neuron.donor if condition == "shuffled" else neuron.weights
        assert weights is not None
        tested = aucs(others if condition == "random" else basis, weights, neuron, documents[neuron.context] % 2 == 1)
        assert found == pytest.approx([len(tested), *tested.mean(axis=0)])
    few = names_on_held_out(layer, 2, most=2, progress=False)
    assert few["index"].nunique() <= 2
    pd.testing.assert_frame_equal(few, table[table["index"].isin(few["index"])].reset_index(drop=True))


def test_without_examples_nothing_is_tested_and_the_record_says_so(tiny_atlas: Callable[[str], Atlas]) -> None:
    layer = LayerInBasis(in_basis(tiny_atlas("llama"), reading()), 50.0)
    table = names_on_held_out(layer, 1000, progress=False)
    found = held_names(table)
    assert not len(table) and (found.neurons, found.clusters, found.measured) == (0, 0, False)
    assert not (found.holds or found.needs_weights or found.needs_training)
    assert f"{found.named:.2f}" == "–" and f"{found.over_other:.2f}" == "not comparable with"
    assert found.table.written.shape == (3, 5)


def made_up(own: float, other: float, shuffled: float, random: float) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    means = {"own": own, "shuffled": shuffled, "random": random}
    rows = [
        (index, name, 2, mean + noise, other + noise / 2)
        for index, noise in enumerate(0.05 * rng.normal(size=60))
        for name, mean in means.items()
    ]
    return pd.DataFrame(rows, columns=["index", "condition", "clusters", "named", "other"])


@pytest.mark.parametrize(
    ("means", "verdicts"),
    [
        ((0.8, 0.6, 0.7, 0.6), (True, True, True)),
        ((0.8, 0.6, 0.8, 0.9), (True, False, False)),
        ((0.8, 0.9, 0.7, 0.6), (False, True, True)),
        ((0.45, 0.3, 0.4, 0.4), (False, True, True)),
    ],
)
def test_verdicts_follow_from_whole_intervals(means: tuple[float, ...], verdicts: tuple[bool, ...]) -> None:
    found = held_names(made_up(*means))
    assert (found.holds, found.needs_weights, found.needs_training) == verdicts
    assert (found.neurons, found.clusters) == (60, 120) and found.measured
    assert found.named.value == pytest.approx(means[0], abs=0.02)
    assert found.over_shuffled.value == pytest.approx(means[0] - means[2])
    assert found.over_random.value == pytest.approx(means[0] - means[3])
    assert found.table.cells["neurons"].tolist() == [60, 60, 60]
