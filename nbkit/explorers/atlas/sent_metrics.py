"""The metrics that are sent with the overview: whole numbers of two bytes, and how often one behavior falls apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.features.coordinates import coordinates_of
from nbkit.features.one_word import one_word_splits

UNDEFINED_METRIC = 0xFFFF
"""What stands for a metric that is undefined."""

SENT_METRICS: dict[str, tuple[float, float]] = {
    "n_examples": (1, 0),
    "n_clusters": (1, 0),
    "max_distance": (0.004, 0),
    "mean_distance": (0.004, 0),
    "intra_cluster": (0.004, 0),
    "inter_cluster": (0.004, 0),
    "largest_share": (0.004, 0),
    "second_share": (0.004, 0),
    "concentration": (0.004, 0),
    "largest_coordinate": (1, 0),
    "participation": (0.2, 0),
    "silhouette": (0.004, -1),
    "token_agreement": (0.004, -1),
}
"""Columns of `sent_table` that are sent as whole numbers, below `UNDEFINED_METRIC`; value = number * scale + shift.
One that is too large for that is sent as undefined: the coordinate 65,535, and more than 13,106 that take part."""


def sent_table(atlas: Atlas) -> pd.DataFrame:
    """The metrics of the default embedding (see `Atlas.neurons`), and on which coordinate each neuron hangs."""
    table, coordinates = atlas.neurons, coordinates_of(atlas, progress=False)
    place = list(table.columns).index("concentration") + 1
    columns = [*table.columns[:place], "largest_coordinate", "participation", *table.columns[place:]]
    return table.assign(**{name: coordinates[name].to_numpy() for name in columns[place : place + 2]})[columns]


def sent_splits(atlas: Atlas) -> list[list[Any]]:
    """Of `one_word_splits` for each number of examples: it, the number of sets, and the shares from two clusters on."""
    table = one_word_splits(atlas).round({"share": 4})
    sizes = [table[table["examples"] == examples] for examples in table["examples"].unique()]
    return [
        [*of_size[["examples", "sets"]].iloc[0].astype(int).tolist(), of_size["share"].tolist()] for of_size in sizes
    ]


def as_whole_numbers(column: pd.Series, scale: float, shift: float) -> np.ndarray:
    """A metric as it is sent, see `SENT_METRICS`."""
    values = column.to_numpy(np.float64)
    numbers = np.rint((values - shift) / scale)
    known = numbers < UNDEFINED_METRIC  # NaN is not
    return np.where(known, numbers, UNDEFINED_METRIC).astype(np.uint16)
