"""The metrics of every neuron of an atlas, in one embedding space, as one table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import pandas as pd

from nbkit.atlas.manifest import Manifest
from nbkit.atlas.neuron import Neuron
from nbkit.method.clusters import feature_clusters
from nbkit.method.metrics import (
    Polysemanticity,
    adjusted_rand_index,
    concentration,
    polysemanticity_from_distances,
)
from nbkit.parallel.pool import gather

EXTRA = ("second_share", "concentration", "token_agreement", "silhouette_matched", "token_agreement_matched")


class Neurons(Protocol):
    """What a table of metrics is made from: an `Atlas`."""

    @property
    def manifest(self) -> Manifest: ...
    @property
    def n_neurons(self) -> int: ...
    @property
    def neurons(self) -> pd.DataFrame: ...
    @property
    def words(self) -> np.ndarray: ...
    def iterate(self, layer: int) -> Iterator[Neuron]: ...


def survey(atlas: Neurons, kind: str, progress: bool = True) -> pd.DataFrame:
    """Metrics of all neurons in the space of one kind of embedding.

    Average linkage, cut at 0.5, or where the kind is cut (see `Neuron.cut`). Beside `Polysemanticity`'s columns:

    - `second_share`: the share of the examples that the second largest cluster holds; 0 if there is one cluster.
    - `concentration`: how much the embeddings hang on one coordinate (see `nbkit.method.metrics.concentration`).
    - `token_agreement`: adjusted Rand index between the clusters and the key tokens (stripped, case ignored). It is no
      distance in any space, so it can be compared between spaces.
    - `silhouette_matched`, `token_agreement_matched`: the same with the tree cut into as many clusters as the default
      embedding's, so that no space gains by making more of them.

    Returns:
        One row per neuron of the atlas's layers, in order; metrics are NaN where a neuron has fewer than two examples,
        or one whose embedding has no direction. The columns that are cut into as many clusters as the default
        embedding's are NaN where that has none.
    """
    default = atlas.manifest.embedding
    reference = None if kind == default else atlas.neurons.set_index(["layer", "index"])["n_clusters"]
    tasks = [
        (atlas, layer, kind, None if reference is None else reference.loc[layer].to_numpy())
        for layer in atlas.manifest.layers
    ]
    tables = gather(_survey_layer, tasks, atlas.n_neurons, f"metrics ({kind})", "layer", progress)
    table: pd.DataFrame = pd.concat(tables, ignore_index=True)
    return table


def _survey_layer(atlas: Neurons, layer: int, kind: str, n_clusters: np.ndarray | None) -> pd.DataFrame:
    words = atlas.words
    rows: list[dict[str, Any]] = []
    for neuron in atlas.iterate(layer):
        row = {
            "layer": layer,
            "index": neuron.index,
            "n_examples": len(neuron),
            "max_activation": neuron.max_activation,
        }
        if len(neuron) >= 2 and neuron.has_direction(kind):
            row |= neuron_metrics(neuron, kind, words, None if n_clusters is None else n_clusters[neuron.index])
        rows.append(row)
    columns = ["layer", "index", "n_examples", "max_activation", *Polysemanticity._fields, *EXTRA]
    return pd.DataFrame(rows, columns=columns)


def neuron_metrics(neuron: Neuron, kind: str, words: np.ndarray, n_clusters: float | None) -> dict[str, float]:
    """The metrics of one neuron with at least two examples, all of which have a direction; see `survey`.

    Args:
        n_clusters: of the default embedding, NaN where it has none; None if `kind` is the default.
    """
    embeddings = neuron.embeddings(kind)
    clusters = feature_clusters(embeddings, neuron.cut(kind))
    labels = words[neuron.key_ids]
    metrics = polysemanticity_from_distances(clusters.distances, clusters.labels)
    agreement = adjusted_rand_index(clusters.labels, labels)
    sizes = np.sort(np.bincount(clusters.labels))
    extra = {
        "second_share": float(sizes[-2] / len(labels)) if clusters.n_clusters > 1 else 0.0,
        "concentration": concentration(embeddings),
        "token_agreement": agreement,
        "silhouette_matched": metrics.silhouette,
        "token_agreement_matched": agreement,
    }
    if n_clusters is not None and np.isnan(n_clusters):
        extra["silhouette_matched"] = extra["token_agreement_matched"] = np.nan
    elif n_clusters is not None and n_clusters != clusters.n_clusters:
        recut = clusters.cut_to(int(n_clusters))
        extra["silhouette_matched"] = polysemanticity_from_distances(recut.distances, recut.labels).silhouette
        extra["token_agreement_matched"] = adjusted_rand_index(recut.labels, labels)
    return {**metrics._asdict(), **extra}
