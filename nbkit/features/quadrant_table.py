"""How the examples of every gated neuron are spread over the four quadrants (see `nbkit.atlas.quadrants`)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.quadrants import QUADRANTS
from nbkit.errors import NbkitError
from nbkit.parallel.pool import gather

FILE = "quadrants.parquet"


def quadrants_of(atlas: Atlas, progress: bool = True) -> pd.DataFrame:
    """The share of each gated neuron's dataset examples that lie in each quadrant.

    Made on first demand and kept in the atlas's folder.

    Returns:
        One row per neuron of the gated sites, in order: `layer`, `index`, and a column for each of `QUADRANTS`; NaN
        where a neuron has no examples.

    Raises:
        NbkitError: no neuron of the atlas is gated, or the table can't be written.
    """
    layers = [site.number for site in atlas.manifest.sites if site.gated]
    if not layers:
        raise NbkitError(f"{atlas.manifest.model} has no quadrants: no {atlas.manifest.unit} of it is gated")

    def make() -> pd.DataFrame:
        n = sum(atlas.manifest.site(layer).n_units for layer in layers)
        tables = gather(_of_layer, [(atlas, layer) for layer in layers], n, "quadrants", "layer", progress)
        table: pd.DataFrame = pd.concat(tables, ignore_index=True)
        return table

    return atlas.kept.table(FILE, make)


def _of_layer(atlas: Atlas, layer: int) -> pd.DataFrame:
    rows = []
    for neuron in atlas.iterate(layer):
        of_examples = neuron.quadrants
        shares = [(of_examples == name).mean() if len(neuron) else np.nan for name in QUADRANTS]
        rows.append((layer, neuron.index, *shares))
    return pd.DataFrame(rows, columns=["layer", "index", *QUADRANTS])
