"""All neurons of an atlas: how many examples they have, and which lie at both ends."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.features.showcase import extremes as extreme_neurons
from nbkit.method.metrics import METRIC_TITLES
from nbkit.studies.shared.behaviors import key_tokens
from nbkit.studies.shared.populations import ENOUGH_EXAMPLES, scanned, with_enough
from nbkit.studies.shared.quantity import Quantity
from nbkit.studies.shared.table import BookTable


@dataclass(frozen=True)
class ExampleCounts:
    """How many dataset examples the neurons have."""

    n_neurons: Quantity[int]
    n_layers: int
    none: float
    """Share of the neurons without an example."""
    one: float
    """Share with a single one."""
    at_least: int
    """Examples that are enough to count in statements about how behaviors are distributed."""
    n_enough: Quantity[int]
    """Neurons with so many, and a direction."""
    enough: float
    """Their share."""
    most: int
    """Examples that are kept."""
    all_kept: float
    """Share with as many as are kept."""
    median: float
    """Examples of the median neuron."""


def example_counts(atlas: Atlas, min_examples: int = ENOUGH_EXAMPLES) -> ExampleCounts:
    """How many examples the neurons have, over all scanned layers, and how many have at least `min_examples`."""
    n, most = atlas.neurons["n_examples"], atlas.manifest.max_examples
    enough = with_enough(atlas, min_examples)
    return ExampleCounts(
        n_neurons=scanned(atlas),
        n_layers=len(atlas.layers),
        none=float((n == 0).mean()),
        one=float((n == 1).mean()),
        at_least=min_examples,
        n_enough=enough,
        enough=enough.value / len(n),
        most=most,
        all_kept=float((n == most).mean()),
        median=float(n.median()),
    )


def extremes(atlas: Atlas) -> BookTable:
    """The neurons at both ends, with their key tokens: a group of rows for each end."""
    table = extreme_neurons(atlas)
    neurons = [atlas.neuron(int(layer), int(i)) for layer, i in zip(table["layer"], table["index"], strict=True)]
    names = [f"L{neuron.layer} N{neuron.index}" for neuron in neurons]
    cells = pd.DataFrame(
        {
            "examples": table["n_examples"].tolist(),
            METRIC_TITLES["n_clusters"]: table["n_clusters"].astype(int).tolist(),
            METRIC_TITLES["mean_distance"]: table["mean_distance"].tolist(),
            "most frequent key tokens": [key_tokens(neuron.snippets) for neuron in neurons],
        },
        index=pd.MultiIndex.from_arrays([table["extreme"], names]),
    )
    return BookTable("extremes", cells)
