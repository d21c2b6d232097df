"""Agglomerative clustering against the Sub-Cluster Component algorithm: agreement and speed on the same neurons."""

from __future__ import annotations

import time

import pandas as pd
from tqdm.auto import tqdm

from nbkit.atlas.atlas import Atlas
from nbkit.method.clusters import feature_clusters
from nbkit.method.embeddings import EMBEDDING_NAMES
from nbkit.method.metrics import adjusted_rand_index, polysemanticity_from_distances
from nbkit.studies.shared.populations import ENOUGH_EXAMPLES, has_examples
from nbkit.studies.shared.table import BookTable

COMPARED_METHODS = ("average", "scc")


def compare_methods(
    atlas: Atlas,
    threshold: float = 0.5,
    n_neurons: int = 500,
    seed: int = 0,
    min_examples: int = ENOUGH_EXAMPLES,
    progress: bool = True,
) -> pd.DataFrame:
    """Clusters a random sample of neurons with both methods, in the neuron embedding's and the pre-MLP vector's space.

    Args:
        threshold: distance in (0, 1] at which trees are cut.
        n_neurons: drawn among those with at least `min_examples` examples.
        seed: of the sample.
        min_examples: fewer leave both methods little to group.

    Returns:
        One row per (neuron, kind): `n_examples`, `agreement` (adjusted Rand index between the methods), and for each
        method its `<method>_clusters`, `<method>_silhouette` and `<method>_seconds`, distances included.

    Raises:
        NbkitError: if no neuron has `min_examples` examples.
    """
    table = atlas.neurons[has_examples(atlas, min_examples)]
    drawn = table.sample(min(n_neurons, len(table)), random_state=seed).sort_index()
    rows = []
    places = list(zip(drawn["layer"], drawn["index"], strict=True))
    for layer, index in tqdm(places, desc="SCC", unit="neuron", disable=not progress):
        neuron = atlas.neuron(int(layer), int(index))
        for kind in (atlas.manifest.embedding, "pre_mlp"):
            row = {"layer": layer, "index": index, "kind": kind, "n_examples": len(neuron)}
            embeddings, labels = neuron.embeddings(kind), []
            for method in COMPARED_METHODS:
                start = time.perf_counter()
                clusters = feature_clusters(embeddings, threshold, method)
                row[f"{method}_seconds"] = time.perf_counter() - start
                row[f"{method}_clusters"] = clusters.n_clusters
                row[f"{method}_silhouette"] = polysemanticity_from_distances(
                    clusters.distances, clusters.labels
                ).silhouette
                labels.append(clusters.labels)
            rows.append({**row, "agreement": adjusted_rand_index(*labels)})
    return pd.DataFrame(rows)


def summarize_methods(table: pd.DataFrame) -> BookTable:
    """Means over the sampled neurons, a column per embedding space, and the ratio of the methods' total times.

    A silhouette is the mean over the neurons for which both methods have one, which needs two clusters.
    """
    columns = {}
    for kind, group in table.groupby("kind", sort=False):
        both = group.dropna(subset=[f"{method}_silhouette" for method in COMPARED_METHODS])
        columns[EMBEDDING_NAMES[str(kind)]] = {
            "neurons": len(group),
            "agreement (adjusted Rand index)": group["agreement"].mean(),
            "share with the same partition": (group["agreement"] == 1).mean(),
            "clusters, agglomerative": group["average_clusters"].mean(),
            "clusters, SCC": group["scc_clusters"].mean(),
            "silhouette, agglomerative": both["average_silhouette"].mean(),
            "silhouette, SCC": both["scc_silhouette"].mean(),
            "neurons with a silhouette": len(both),
            "SCC time / agglomerative time": group["scc_seconds"].sum() / group["average_seconds"].sum(),
        }
    counts = {"neurons": 0, "neurons with a silhouette": 0}
    return BookTable("clustering-methods", pd.DataFrame(columns, dtype=object), counts)
