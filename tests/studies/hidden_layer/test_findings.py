"""What the page of the hidden layer says in numbers, from tables whose answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from nbkit.mnist.mlp import MLP_RECIPE, MnistMLP
from nbkit.studies.hidden_layer.findings import control_differences, hidden_neurons, mlp_training
from nbkit.studies.hidden_layer.spaces import IMAGE_KINDS, SPACE_TITLES, WEIGHT_KINDS, hidden_spaces_table
from tests.examples.views import view_of

Steps = dict[tuple[str, str], float]


def spaces(steps: Steps, noise: float = 0.0, n: int = 32) -> pd.DataFrame:
    """Every metric is 0.5, plus a step for some images and weights."""
    rng = np.random.default_rng(0)
    rows = [
        {"neuron": neuron, "images": of, "weights": by}
        | {name: 0.5 + steps.get((of, by), 0.0) + noise * rng.normal() for name in SPACE_TITLES}
        for neuron in range(n)
        for of in IMAGE_KINDS
        for by in WEIGHT_KINDS
    ]
    return pd.DataFrame(rows)


def test_the_table_of_spaces_has_medians_and_every_control() -> None:
    table = hidden_spaces_table(spaces({("strongest", "own"): -0.2}).assign(n_clusters=86.5)).written
    assert table.shape == (9, 5)
    assert list(table["mean distance"]) == ["0.50"] * 6 + ["0.30", "0.50", "0.50"]
    assert set(table["feature clusters"]) == {"86"}
    assert list(table["share of the commonest digit"]) == ["0.50", "", "", "0.50", "", "", "0.30", "", ""]
    assert list(table.index[6:]) == [("100 strongest images", weights) for weights in WEIGHT_KINDS.values()]


def test_differences_are_those_of_the_right_rows() -> None:
    steps = {("examples", "own"): 0.1, ("random", "own"): 0.3, ("examples", "shuffled"): -0.1}
    steps |= {("strongest", "own"): -0.3, ("strongest", "shuffled"): -0.2, ("strongest", "none"): -0.4}
    found = control_differences(spaces(steps))
    assert found.n_neurons == 32
    assert (found.examples_random.value, found.examples_shuffled.value) == pytest.approx((-0.2, 0.2))
    assert (found.strongest_random.value, found.strongest_shuffled.value) == pytest.approx((-0.6, -0.1))
    assert (found.agreement_shuffled.value, found.agreement_unweighted.value) == pytest.approx((-0.1, 0.1))
    assert [found.examples_random.sign, found.examples_shuffled.sign] == [-1, 1]


def test_distances_and_agreement_are_not_mixed_up() -> None:
    table = spaces({})
    own = (table["images"] == "strongest") & (table["weights"] == "own")
    found = control_differences(table.assign(agreement=table["agreement"].where(~own, 0.9)))
    assert found.strongest_shuffled.value == pytest.approx(0)
    assert found.agreement_shuffled.value == found.agreement_unweighted.value == pytest.approx(0.4)


def test_where_there_is_no_difference_none_is_claimed() -> None:
    found = control_differences(spaces({}, noise=0.1))
    differences = (found.examples_random, found.examples_shuffled, found.strongest_random, found.strongest_shuffled)
    assert {d.sign for d in (*differences, found.agreement_shuffled, found.agreement_unweighted)} == {0}


def test_hidden_neurons_are_medians_and_ranges() -> None:
    columns = {
        "n_examples": [4000, 9000, 7000],
        "n_clusters": [70, 80, 95],
        "mean_distance": [0.7, 0.75, 0.8],
        "purity": [0.1, 0.4, 0.2],
    }
    found = hidden_neurons(view_of(pd.DataFrame(columns).to_dict("records"), "neuron"))
    assert found.n == 3
    assert f"{found.n_examples:,.0f}; {found.n_clusters:.0f}" == "7,000 (4,000 to 9,000); 80 (70 to 95)"
    assert f"{found.mean_distance:.2f}; {found.purity:.0%}" == "0.75 (0.70 to 0.80); 20% (10% to 40%)"


def test_the_accuracy_of_the_mlp_stands_beside_the_paper_s() -> None:
    found = mlp_training(1)
    assert found.recipe is MLP_RECIPE and found.n_seeds == 1
    assert found.first == pytest.approx(found.paper, abs=0.6)
    assert f"{found.over_seeds:.2f%}" == f"{found.first:.2f}%", "one seed has no deviation"


def test_the_accuracy_over_seeds_is_a_mean_with_its_deviation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each seed asks for its own MLP, where it could be trained: not while gradients are off."""
    seeds: list[int] = []

    def mlp_for(seed: int) -> MnistMLP:
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
        seeds.append(seed)
        return MnistMLP(seed).requires_grad_(False)

    shares = iter([0.93, 0.95, 0.94])
    monkeypatch.setattr("nbkit.studies.hidden_layer.findings.mlp_for", mlp_for)
    monkeypatch.setattr("nbkit.studies.hidden_layer.findings.accuracy", lambda *_: next(shares))
    found = mlp_training(3, seed=5)
    assert seeds == [5, 6, 7]
    assert f"{found.over_seeds:.2f%}" == "94.00 ± 1.00%" and found.first == pytest.approx(93)
