"""How many examples the neurons have, and which lie at both ends."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.studies.whole_model.findings import ExampleCounts, example_counts, extremes
from tests.examples.atlas import example_atlas


def test_the_examples_are_counted() -> None:
    rows = [{"n_examples": n} for n in (0, 0, 1, 5, 20, 30, 100, 100)]
    assert example_counts(example_atlas(rows)) == ExampleCounts(
        n_neurons=8, n_layers=2, none=0.25, one=0.125, at_least=20, enough=0.5, most=100, all_kept=0.25, median=12.5
    )


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_the_extremes_are_neurons_of_the_atlas(architecture: str, tiny_atlas: Callable[[str], Atlas]) -> None:
    atlas = tiny_atlas(architecture)
    table = extremes(atlas)
    most = atlas.neurons["n_examples"].max()  # fewer than 50: only the neurons that have as many are compared
    assert len(table) == 2 * min(5, (atlas.neurons["n_examples"] == most).sum())
    for row in table.to_dict("records"):
        layer, index = map(int, re.fullmatch(r"L(\d+) N(\d+)", row["neuron"]).groups())  # type: ignore[union-attr]
        assert row["examples"] == len(atlas.neuron(layer, index))
        assert row["feature clusters"] == atlas.neuron(layer, index).clusters(0.5).n_clusters
    assert [label for label in table.index if label] == ["most clusters", "smallest mean distance"]
