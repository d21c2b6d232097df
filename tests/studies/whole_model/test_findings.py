"""How many examples the neurons have, and which lie at both ends."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.studies.whole_model.findings import example_counts, extremes
from tests.examples.atlas import example_atlas


def test_the_examples_are_counted() -> None:
    rows = [{"n_examples": n} for n in (0, 0, 1, 5, 20, 30, 100, 100)]
    found = example_counts(example_atlas(rows))
    assert (found.n_neurons.value, found.n_layers, found.n_enough.value, found.at_least) == (8, 2, 4, 20)
    assert (found.none, found.one, found.enough, found.all_kept) == (0.25, 0.125, 0.5, 0.25)
    assert (found.most, found.median) == (100, 12.5)


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_the_extremes_are_neurons_of_the_atlas(architecture: str, tiny_atlas: Callable[[str], Atlas]) -> None:
    atlas = tiny_atlas(architecture)
    table = extremes(atlas).cells
    most = atlas.neurons["n_examples"].max()  # fewer than 50: only the neurons that have as many are compared
    assert len(table) == 2 * min(5, (atlas.neurons["n_examples"] == most).sum())
    for (_, name), row in zip(table.index.tolist(), table.to_dict("records"), strict=True):
        layer, index = map(int, re.fullmatch(r"L(\d+) N(\d+)", name).groups())  # type: ignore[union-attr]
        assert row["examples"] == len(atlas.neuron(layer, index))
        assert row["feature clusters"] == atlas.neuron(layer, index).clusters(0.5).n_clusters
    assert list(table.index.unique(0)) == ["most clusters", "smallest mean distance"]
