"""How behaviors are distributed, for neurons whose numbers are made by hand."""

from __future__ import annotations

import math

import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.studies.rare_behaviors.findings import behaviors
from tests.examples.atlas import example_atlas


def spread() -> Atlas:
    """Ten neurons in 20 examples and more, and two with fewer."""
    shares = [1.0] * 4 + [0.95, 0.9, 0.89, 0.5, 0.4, 0.3]
    rows = [
        {"n_clusters": 1 if share == 1 else 2, "largest_share": share, "n_examples": 20 + i}
        for i, share in enumerate(shares)
    ]
    return example_atlas([*rows, {"n_clusters": 9, "n_examples": 19}, {"n_clusters": math.nan, "n_examples": 1}])


def test_behaviors_count_the_neurons_with_enough_examples() -> None:
    found = behaviors(spread())
    assert (found.n_neurons.value, found.at_least, found.n_enough.value) == (12, 20, 10)
    assert (found.median_clusters.value, found.several.value) == pytest.approx((2, 0.6))
    assert (found.hidden.value, found.median_largest) == pytest.approx((0.2, 0.925))
    found = behaviors(spread(), min_examples=26)
    assert (found.at_least, found.n_enough.value, found.hidden.value) == (26, 4, 0)


def test_where_no_neuron_has_enough_examples_the_way_out_is_named() -> None:
    with pytest.raises(NbkitError, match=r"no neuron has 20 examples \(the most is 12\): scan more text"):
        behaviors(example_atlas([{"n_examples": 12}]))
