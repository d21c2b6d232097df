"""All neurons of an atlas: how many examples they have, and which lie at both ends."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.features.showcase import extremes as extreme_neurons
from nbkit.features.showcase import key_words
from nbkit.method.metrics import METRIC_TITLES
from nbkit.studies.shared.populations import ENOUGH_EXAMPLES


@dataclass(frozen=True)
class ExampleCounts:
    """How many dataset examples the neurons have."""

    n_neurons: int
    n_layers: int
    none: float
    """Share of the neurons without an example."""
    one: float
    """Share with a single one."""
    at_least: int
    """Examples that are enough to count in statements about how behaviors are distributed."""
    enough: float
    """Share with so many."""
    most: int
    """Examples that are kept."""
    all_kept: float
    """Share with as many as are kept."""
    median: float
    """Examples of the median neuron."""


def example_counts(atlas: Atlas) -> ExampleCounts:
    """How many examples the neurons have, over all scanned layers."""
    n, most = atlas.neurons["n_examples"], atlas.manifest.max_examples
    return ExampleCounts(
        n_neurons=len(n),
        n_layers=len(atlas.layers),
        none=float((n == 0).mean()),
        one=float((n == 1).mean()),
        at_least=ENOUGH_EXAMPLES,
        enough=float((n >= ENOUGH_EXAMPLES).mean()),
        most=most,
        all_kept=float((n == most).mean()),
        median=float(n.median()),
    )


def extremes(atlas: Atlas) -> pd.DataFrame:
    """The neurons at both ends, with their key tokens."""
    table = extreme_neurons(atlas)
    neurons = [atlas.neuron(int(layer), int(i)) for layer, i in zip(table["layer"], table["index"], strict=True)]
    return pd.DataFrame(
        {
            "": table["extreme"].where(~table["extreme"].duplicated(), ""),
            "neuron": [f"L{neuron.layer} N{neuron.index}" for neuron in neurons],
            "examples": table["n_examples"],
            METRIC_TITLES["n_clusters"]: table["n_clusters"].astype(int),
            METRIC_TITLES["mean_distance"]: table["mean_distance"].round(3),
            "most frequent key tokens": [key_words(neuron, 4) for neuron in neurons],
        }
    ).set_index("")
