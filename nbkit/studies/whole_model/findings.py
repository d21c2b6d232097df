"""An atlas in words and tables: its neurons, and the paper beside this build."""

from __future__ import annotations

import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.features.showcase import extremes as extreme_neurons
from nbkit.features.showcase import key_words
from nbkit.studies.rare_behaviors.findings import ENOUGH
from nbkit.studies.shared.text import Text


def examples_summary(atlas: Atlas) -> Text:
    """How many examples the neurons have, as a sentence."""
    n, most = atlas.neurons["n_examples"], atlas.manifest.max_examples
    return Text(
        f"{len(n):,} neurons in {len(atlas.layers)} layers. {(n == 0).mean():.1%} have no example, "
        f"{(n == 1).mean():.1%} have "
        f"one, {(n >= ENOUGH).mean():.1%} have at least {ENOUGH}, and {(n == most).mean():.1%} have all {most} that "
        f"are kept; the median is {n.median():g}."
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
            "clusters": table["n_clusters"].astype(int),
            "mean distance": table["mean_distance"].round(3),
            "most frequent key tokens": [key_words(neuron, 4) for neuron in neurons],
        }
    ).set_index("")
