"""The identity on real neurons, and the table of faithfulness."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.studies.neuron_embeddings.findings import ROUNDING_COLUMN, faithfulness_table, identity
from nbkit.studies.shared.estimate import UNDEFINED
from tests.studies.neuron_embeddings.test_ablation import random_neuron


@pytest.mark.parametrize(
    ("architecture", "sums"),
    [("gpt2", ["input"]), ("bert", ["input"]), ("llama", ["gate", "up"])],
)
def test_the_sums_of_the_embeddings_give_the_captured_activation(
    architecture: str, sums: list[str], tiny_atlas: Callable[[str], Atlas]
) -> None:
    neuron = max((tiny_atlas(architecture).neuron(1, index) for index in range(40)), key=len)
    shown = identity(neuron, n=5)
    assert UNDEFINED not in shown.written.to_numpy()
    table = shown.data
    columns = [f"sum of the {kind} embedding + bias" for kind in sums]
    assert list(table) == [*columns, "activation", "captured", ROUNDING_COLUMN]
    assert len(table) == 5
    assert table.index.tolist() == [snippet.key_token.strip() for snippet in neuron.snippets[:5]]
    assert table["captured"].tolist() == neuron.peak[:5].tolist()
    np.testing.assert_allclose(table[ROUNDING_COLUMN], 0, atol=1e6 * 1e-4 * neuron.max_activation)
    weights = neuron.weights.w_in if sums == ["input"] else neuron.weights.w_gate
    bias = neuron.weights.b_in if sums == ["input"] else neuron.weights.b_gate
    assert weights is not None
    np.testing.assert_allclose(table[columns[0]], neuron.pre_mlp[:5] @ weights + bias, rtol=1e-4, atol=1e-5)


def test_both_biases_of_a_gated_neuron_count() -> None:
    neuron = random_neuron(4, "tanh", gated=True)
    w = neuron.weights
    assert w.w_gate is not None and w.b_gate and w.b_in
    gate, up = neuron.pre_mlp @ w.w_gate + w.b_gate, neuron.pre_mlp @ w.w_in + w.b_in
    table = identity(neuron, n=8).data
    np.testing.assert_allclose(table["sum of the gate embedding + bias"], gate, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(table["sum of the up embedding + bias"], up, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(table["activation"], np.tanh(gate) * up, rtol=1e-4, atol=1e-5)


def test_faithfulness_is_a_mean_with_its_interval_best_first() -> None:
    table = pd.DataFrame({"kind": ["gate", "up"] * 3 + ["gradient"] * 2, "faithfulness": [0.1, 0.2] * 3 + [0.7, 0.9]})
    result = faithfulness_table(table).data
    assert result.index.tolist() == [
        "neuron embedding (gradient)",
        "neuron embedding (up)",
        "neuron embedding (gate)",
    ]
    name = "mean correlation"
    assert result[name].tolist() == pytest.approx([0.8, 0.2, 0.1]) and result["neurons"].tolist() == [2, 3, 3]
    assert result.iloc[0][[f"{name} low", f"{name} high"]].tolist() == pytest.approx([0.7, 0.9])
    assert result.iloc[1][[f"{name} low", f"{name} high"]].tolist() == pytest.approx([0.2, 0.2])


def test_a_neuron_without_a_direction_is_not_counted() -> None:
    table = pd.DataFrame({"kind": ["gate"] * 2 + ["up"] * 2, "faithfulness": [0.1, np.nan, np.nan, np.nan]})
    result = faithfulness_table(table)
    assert result.written["neurons"].to_dict() == {"neuron embedding (gate)": "1", "neuron embedding (up)": "0"}
    assert result.written.iloc[1, 0] == UNDEFINED
