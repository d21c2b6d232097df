"""Every feature cluster of every neuron of an atlas, as one table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.parallel.pool import gather

FEATURES_FILE = "features.parquet"
FEATURE_COLUMNS = ("layer", "index", "place", "size", "medoid", "key_id")


def features_of(atlas: Atlas, progress: bool = True) -> pd.DataFrame:
    """The *features* of an atlas: the clusters of every neuron with at least one example and a direction.

    Average linkage in the space of the default embedding, cut where the atlas cuts it, as in the table of metrics. Made
    on first demand and kept in the atlas's folder.

    Returns:
        One row per feature, in the order of layers, neurons and sizes: `layer` and `index` of its neuron, its `place`
        among the neuron's (0 the largest), its `size`, the number of its `medoid` among the neuron's examples, and
        `key_id`, the id of its most frequent key token (of equals, the smallest). A feature's number is its row.

    Raises:
        NbkitError: if the table can't be written.
    """
    return atlas.kept.table(FEATURES_FILE, lambda: _find(atlas, progress))


def _find(atlas: Atlas, progress: bool) -> pd.DataFrame:
    tasks = [(atlas, layer) for layer in atlas.layers]
    table: pd.DataFrame = pd.concat(
        gather(_features_of_layer, tasks, atlas.n_neurons, "features", "layer", progress), ignore_index=True
    )
    return table


def _features_of_layer(atlas: Atlas, layer: int) -> pd.DataFrame:
    rows = []
    for neuron in atlas.iterate(layer):
        if not len(neuron) or not neuron.has_direction():
            continue
        clusters = neuron.clusters()
        for place, (size, medoid) in enumerate(zip(clusters.sizes, clusters.medoids, strict=True)):
            ids, counts = np.unique(neuron.key_ids[clusters.labels == place], return_counts=True)
            rows.append((layer, neuron.index, place, size, medoid, ids[counts.argmax()]))
    return pd.DataFrame(np.array(rows, dtype=np.int32).reshape(-1, len(FEATURE_COLUMNS)), columns=list(FEATURE_COLUMNS))
