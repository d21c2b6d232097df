"""With shuffled labels no contestant finds anything, whatever the task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import silu

from nbkit.method.truth.benchmark import benchmark
from nbkit.method.truth.merged import merged_units
from nbkit.method.truth.null import null_units
from nbkit.method.truth.terms import GatedTerms
from nbkit.method.truth.toys import Toy, toy_units
from nbkit.method.truth.unit import LabeledUnit
from nbkit.mnist.cnn import MnistCNN
from nbkit.mnist.images import load_mnist
from nbkit.mnist.mlp import MnistMLP
from nbkit.studies.ground_truth.digit_units import digit_units
from nbkit.studies.ground_truth.image_layers import cnn_layers, mlp_layer
from nbkit.studies.ground_truth.image_units import cornered_units, merged_image_units

TASKS = ("toy", "null", "merged", "gated", "images", "corner patches", "digits")


@pytest.fixture(scope="module")
def units() -> dict[str, list[LabeledUnit]]:
    """A few of each task, of networks that nothing was trained for where that does."""
    rng = np.random.default_rng(0)
    toys = toy_units(Toy(n_features=30, width=12, n_units=10, active=2, n_examples=60, steps=60))
    gate, up = rng.normal(size=(2, 16, 12)) / 12**0.5
    h = rng.normal(size=(3000, 12))
    gated = GatedTerms(gate, up, silu)
    fires = [h[gated.parts(h, np.array([unit]))[:, 0] > 0.8][:30] for unit in range(16)]
    mnist, mlp = load_mnist(), MnistMLP()
    images, digits = mnist.test_images[:1000], mnist.test_labels[:1000].numpy()
    layers = [mlp_layer(mlp, images, "MLP"), *cnn_layers(MnistCNN(), images, "CNN")[1:]]
    with torch.no_grad():
        hidden = mlp.hidden(images).numpy()
    found = {
        "toy": toys,
        "null": [null for labeled in toys for null in null_units(labeled, (10,))],
        "merged": merged_units(gate, [h[(h @ w) > 1][:30] for w in gate], "layer", 2, 40),
        "gated": merged_units(gated, fires, "layer", 2, 40, task="gated"),
        "images": merged_image_units(layers, (2,), 50, most=4),
        "corner patches": cornered_units(mlp, images, "MLP", n_examples=40, most=8),
        "digits": digit_units(hidden, digits, "MLP", n_examples=50),
    }
    assert all({labeled.task for labeled in of_task} == {task} for task, of_task in found.items())
    return found


def shuffled(units: list[LabeledUnit], times: int) -> Iterator[LabeledUnit]:
    """Each unit with its labels dealt out at random, several times."""
    rng = np.random.default_rng(0)
    for labeled in units:
        for again in range(times):
            clear = labeled.take(~labeled.ambiguous)
            yield replace(clear, labels=rng.permutation(clear.labels), name=f"{labeled.name} {again}")


@pytest.mark.parametrize("task", TASKS)
def test_nothing_is_found_of_shuffled_labels(units: dict[str, list[LabeledUnit]], task: str) -> None:
    table = benchmark(units=shuffled(units[task][:4], 3))
    assert set(table["condition"]) == {"own", "shuffled"}
    means = table.groupby(["contestant", "condition", "measure"])["value"].mean().unstack()
    assert (means["auc"] - 0.5).abs().max() < 0.04
    assert means[["ari", "ami", "ari_at_k", "ami_at_k"]].abs().max(axis=None) < 0.06


def test_the_same_units_with_their_labels_are_told_apart(units: dict[str, list[LabeledUnit]]) -> None:
    for task in set(TASKS) - {"null"}:
        table = benchmark({}, units[task][:8])
        assert table[table["measure"] == "auc"]["value"].mean() > 0.55, task
