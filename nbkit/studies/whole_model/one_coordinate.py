"""Neurons that hang on one coordinate: how many, on which, and what is left of their clusters without it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.features.coordinates import coordinates_of
from nbkit.method.checks import have_direction
from nbkit.method.clusters import feature_clusters
from nbkit.method.coordinates import HANGS, coordinate_shares
from nbkit.method.metrics import adjusted_rand_index
from nbkit.studies.shared.estimate import UNDEFINED, Estimate
from nbkit.studies.shared.outliers import LayerCoordinates, hang, share_that_hangs
from nbkit.studies.shared.populations import ENOUGH_EXAMPLES, has_examples
from nbkit.studies.shared.quantity import Quantity
from nbkit.studies.shared.table import BookTable

FARTHEST = 10
"""Neurons with the largest distance between clusters that are looked at."""


@dataclass(frozen=True)
class OneCoordinate:
    """How many neurons hang on one coordinate."""

    at_least: float
    """Of a neuron's embeddings in one coordinate."""
    share: Quantity[float]
    """Of the neurons with enough examples that hang on one."""
    median_participation: float
    """How many coordinates take part in the median neuron's embeddings."""
    width: int
    """How many there are."""
    most_common: str
    """The number of the coordinate on which most hang, of those that hang on one; a dash if none does."""
    most_common_share: float
    """How many of them hang on it."""
    n_farthest: int
    """Neurons with the largest distance between clusters."""
    farthest_in_outliers: int
    """How many of these have their largest share in a coordinate that stands out of their layer."""


def one_coordinate(atlas: Atlas, min_examples: int = ENOUGH_EXAMPLES, seed: int = 0) -> OneCoordinate:
    """How many neurons hang on one coordinate, of those with at least `min_examples` examples.

    Raises:
        NbkitError: if no neuron has that many examples.
    """
    table = coordinates_of(atlas, progress=False)
    enough, hanging = has_examples(atlas, min_examples), hang(atlas, min_examples)
    counts = table["largest_coordinate"][hanging].value_counts()
    far = atlas.neurons[enough].nlargest(FARTHEST, "inter_cluster").index
    outliers = {layer: LayerCoordinates.of(atlas, layer, seed).outliers for layer in set(table["layer"][far])}
    return OneCoordinate(
        at_least=HANGS,
        share=share_that_hangs(atlas, min_examples),
        median_participation=float(table["participation"][enough].median()),
        width=atlas.manifest.sites[0].width,
        most_common=str(int(counts.index[0])) if len(counts) else UNDEFINED,
        most_common_share=float(counts.iloc[0] / counts.sum()) if len(counts) else 0.0,
        n_farthest=len(far),
        farthest_in_outliers=sum(table["largest_coordinate"][row] in outliers[table["layer"][row]] for row in far),
    )


def without_coordinates(
    atlas: Atlas, n_neurons: int = 500, min_examples: int = ENOUGH_EXAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Clusters of neurons with and without a coordinate, drawn at random among those with enough examples.

    Args:
        n_neurons: how many are drawn.
        min_examples: fewer are left out.
        seed: of the draw.

    Returns:
        One row a neuron: `layer`, `index`, `hangs` (on one coordinate), clusters at the atlas's cut `before`,
        `without_largest` and `without_second` (the coordinates of the largest and second largest share), and
        `kept_largest` and `kept_second`, the adjusted Rand index of the clusters before with the tree without the
        coordinate, cut into as many clusters. The latter are NaN where there was one cluster before, which any tree
        agrees with; what is without a coordinate is NaN if an example has only that one.

    Raises:
        NbkitError: if no neuron has that many examples.
    """
    table = atlas.neurons.assign(hangs=hang(atlas, min_examples))[has_examples(atlas, min_examples)]
    drawn = table.sample(min(n_neurons, len(table)), random_state=seed).sort_index()
    rows = []
    for layer, index, hangs in zip(drawn["layer"], drawn["index"], drawn["hangs"], strict=True):
        neuron = atlas.neuron(int(layer), int(index))
        embeddings, cut = neuron.embeddings(), neuron.cut()
        before = feature_clusters(embeddings, cut)
        row = {"layer": layer, "index": index, "hangs": bool(hangs), "before": before.n_clusters}
        order = np.argsort(-coordinate_shares(embeddings), kind="stable")
        for name, coordinate in zip(("largest", "second"), order, strict=False):
            rest = np.delete(embeddings, coordinate, axis=1)
            if have_direction(rest).all():
                after = feature_clusters(rest, cut)
                row[f"without_{name}"] = after.n_clusters
                if before.n_clusters > 1:
                    same_number = after.cut_to(before.n_clusters).labels
                    row[f"kept_{name}"] = adjusted_rand_index(before.labels, same_number)
        rows.append(row)
    names = ["before", "without_largest", "without_second", "kept_largest", "kept_second"]
    return pd.DataFrame(rows, columns=["layer", "index", "hangs", *names]).astype(dict.fromkeys(names, float))


def coordinates_table(table: pd.DataFrame, seed: int = 0) -> BookTable:
    """Means of `without_coordinates` with their intervals, over all neurons and over those that hang on a coordinate.

    Columns: clusters as they are and without a coordinate, and the agreement of the clusters before with as many
    after, over the neurons for which each is defined; the seed is of the bootstrap.
    """
    titles = {
        "before": "clusters",
        "without_largest": "without the largest",
        "without_second": "without the second",
        "kept_largest": "agreement, without the largest",
        "kept_second": "agreement, without the second",
    }
    groups = {"all": table, "hang on one coordinate": table[table["hangs"]], "do not": table[~table["hangs"]]}
    rows = {
        name: {"neurons": len(group)}
        | {title: Estimate.over_units(group[column], seed) for column, title in titles.items()}
        for name, group in groups.items()
    }
    cells = pd.DataFrame.from_dict(rows, orient="index")
    return BookTable("one-coordinate", cells, {"neurons": 0}, as_half=True)
