"""On which coordinates the neurons of an atlas hang, as one table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.method.coordinates import coordinate_shares, participation_ratio
from nbkit.parallel.pool import gather

COORDINATES = "coordinates.parquet"


def coordinates_of(atlas: Atlas, progress: bool = True) -> pd.DataFrame:
    """On which coordinates each neuron's embeddings hang, in the space of the default embedding.

    `concentration` in `Atlas.neurons` tells how much lies in the largest coordinate; this table tells which that is.
    Made on first demand and kept in the atlas's folder, so that an atlas of an older nbkit has it too.

    Returns:
        One row per neuron, in the order of `Atlas.neurons`: `layer`, `index`, `largest_coordinate`, the number of the
        coordinate with the largest share, 0-based, and `participation` (see `participation_ratio`). NaN where
        `concentration` is.

    Raises:
        NbkitError: if the table can't be written.
    """
    return atlas.kept.table(COORDINATES, lambda: _find(atlas, progress))


def _find(atlas: Atlas, progress: bool) -> pd.DataFrame:
    tasks = [(atlas, layer) for layer in atlas.layers]
    tables = gather(_of_layer, tasks, atlas.n_neurons, "coordinates", "layer", progress)
    table: pd.DataFrame = pd.concat(tables, ignore_index=True)
    return table


def _of_layer(atlas: Atlas, layer: int) -> pd.DataFrame:
    rows = []
    for neuron in atlas.iterate(layer):
        largest = participation = np.nan
        if len(neuron) >= 2 and neuron.has_direction():
            shares = coordinate_shares(neuron.embeddings())
            largest, participation = float(shares.argmax()), participation_ratio(shares)
        rows.append((layer, neuron.index, largest, participation))
    return pd.DataFrame(rows, columns=["layer", "index", "largest_coordinate", "participation"])
