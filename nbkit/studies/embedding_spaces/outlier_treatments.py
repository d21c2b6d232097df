"""Table 1 where the coordinates that stand out of a layer are standardized, and where they are left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.neuron import Neuron
from nbkit.errors import NbkitError
from nbkit.method.checks import have_direction
from nbkit.method.clusters import PAPER_CUT, feature_clusters
from nbkit.method.embeddings import EMBEDDING_NAMES
from nbkit.method.metrics import METRIC_TITLES, adjusted_rand_index, polysemanticity_from_distances
from nbkit.models.site import CENTERED, embedding_kinds, paper_kind
from nbkit.studies.shared.estimate import Difference, Estimate
from nbkit.studies.shared.outliers import LayerCoordinates, share_that_hangs
from nbkit.studies.shared.populations import ENOUGH_EXAMPLES, has_examples
from nbkit.studies.shared.quantity import Quantity
from nbkit.studies.shared.table import BookTable

TREATMENTS = {
    "as_they_are": "as they are",
    "standardized": "outlier coordinates standardized",
    "left_out": "outlier coordinates left out",
}
"""What is done to the vectors that a neuron receives, with its title."""
MEASURED = ("intra_cluster", "inter_cluster", "n_clusters", "silhouette_matched", "token_agreement_matched")


def compare_treatments(
    atlas: Atlas, n_neurons: int = 400, min_examples: int = ENOUGH_EXAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Measures neurons in the spaces of Table 1 under each treatment of their layer's outlier coordinates.

    Args:
        n_neurons: drawn at random among those with enough examples.
        min_examples: fewer are left out.
        seed: of the draws.

    Returns:
        One row for each neuron, treatment and kind of embedding: `layer`, `index`, `outliers` (how many coordinates
        stand out of the layer), `treatment`, `kind`, and `MEASURED`, at a cut of 0.5 and, where matched, at as many
        clusters as the neuron embedding has under that treatment. NaN where an embedding has no direction.

    Raises:
        NbkitError: if no neuron has that many examples, or the atlas's embedding has no weights.
    """
    if atlas.manifest.embedding == CENTERED:
        kind = paper_kind(embedding_kinds(atlas.manifest.sites))
        raise NbkitError(
            f"atlas {atlas.path} has the embedding {CENTERED!r}, which is no product with weights: what outlier "
            f"coordinates do to one is asked of atlas.with_embedding({kind!r})"
        )
    table = atlas.neurons[has_examples(atlas, min_examples)]
    drawn = table.sample(min(n_neurons, len(table)), random_state=seed).sort_index()
    rows = []
    for layer in map(int, drawn["layer"].unique()):
        coordinates = LayerCoordinates.of(atlas, layer, seed)
        for index in map(int, drawn["index"][drawn["layer"] == layer]):
            neuron = atlas.neuron(layer, index)
            place = {"layer": layer, "index": index, "outliers": len(coordinates.outliers)}
            rows += [place | row for row in _rows(neuron, coordinates, atlas.words)]
    return pd.DataFrame(rows)


def _rows(neuron: Neuron, coordinates: LayerCoordinates, words: np.ndarray) -> Iterator[dict[str, Any]]:
    read = neuron.pre_mlp.astype(np.float64)
    treated = {
        "as_they_are": read,
        "standardized": coordinates.standardized(read),
        "left_out": coordinates.left_out(read),
    }
    key_words = words[neuron.key_ids]
    for treatment, vectors in treated.items():
        # an embedding is the vector times weights, or times a gradient at the vector as it was
        factors = np.divide(vectors, read, out=np.zeros_like(read), where=read != 0)
        k: int | None = None
        for kind in (neuron.embedding, "pre_mlp", "shuffled"):
            row: dict[str, Any] = {"treatment": treatment, "kind": kind}
            embeddings = neuron.embeddings(kind) * factors if kind in neuron.kinds else np.zeros_like(read)
            if have_direction(embeddings).all():
                measured = _measured(embeddings, key_words, k)
                k = int(measured["n_clusters"]) if kind == neuron.embedding else k
                row |= measured
            yield dict.fromkeys(MEASURED, np.nan) | row


def _measured(embeddings: Float[np.ndarray, "n d"], words: np.ndarray, k: int | None) -> dict[str, float]:
    clusters = feature_clusters(embeddings, PAPER_CUT)
    metrics = polysemanticity_from_distances(clusters.distances, clusters.labels)
    matched = clusters if k is None else clusters.cut_to(k)
    return {
        "intra_cluster": metrics.intra_cluster,
        "inter_cluster": metrics.inter_cluster,
        "n_clusters": metrics.n_clusters,
        "silhouette_matched": polysemanticity_from_distances(matched.distances, matched.labels).silhouette,
        "token_agreement_matched": adjusted_rand_index(matched.labels, words),
    }


@dataclass(frozen=True)
class Treated:
    """The neuron embedding above others under a treatment, neuron by neuron, at equal numbers of clusters."""

    title: str
    clusters: float
    """Mean number of the neuron embedding's clusters at 0.5."""
    agreement_over_pre_mlp: Difference
    """Agreement with key tokens."""
    agreement_over_control: Difference
    silhouette_over_pre_mlp: Difference
    silhouette_over_control: Difference


@dataclass(frozen=True)
class Outliers:
    """Coordinates that stand out, and Table 1 with and without them."""

    n_neurons: int
    fewest: int
    """Outlier coordinates of the layer that has fewest."""
    most: int
    width: int
    share_that_hangs: Quantity[float]
    """Of the neurons with enough examples, those that hang on one coordinate."""
    as_they_are: Treated
    standardized: Treated
    left_out: Treated


def outliers(atlas: Atlas, table: pd.DataFrame, min_examples: int = ENOUGH_EXAMPLES, seed: int = 0) -> Outliers:
    """What `compare_treatments` found among the neurons with at least `min_examples`; the seed is of the bootstrap."""
    own, wide = atlas.manifest.embedding, table.set_index(["treatment", "kind", "layer", "index"])[list(MEASURED)]

    def treated(name: str) -> Treated:
        of_treatment = wide.loc[name]

        def over(metric: str, other: str) -> Difference:
            return Difference.over_units(of_treatment.loc[own][metric] - of_treatment.loc[other][metric], seed)

        return Treated(
            title=TREATMENTS[name],
            clusters=float(of_treatment.loc[own]["n_clusters"].mean()),
            agreement_over_pre_mlp=over("token_agreement_matched", "pre_mlp"),
            agreement_over_control=over("token_agreement_matched", "shuffled"),
            silhouette_over_pre_mlp=over("silhouette_matched", "pre_mlp"),
            silhouette_over_control=over("silhouette_matched", "shuffled"),
        )

    found = {name: treated(name) for name in TREATMENTS}
    return Outliers(
        n_neurons=len(table.groupby(["layer", "index"])),
        fewest=int(table["outliers"].min()),
        most=int(table["outliers"].max()),
        width=atlas.manifest.sites[0].width,
        share_that_hangs=share_that_hangs(atlas, min_examples),
        **found,
    )


def treatments_table(table: pd.DataFrame, seed: int = 0) -> BookTable:
    """Means of `compare_treatments` for the eye: a group of rows a treatment, a column per kind."""
    rows: dict[tuple[str, str], dict[str, Estimate]] = {}
    for treatment, title in TREATMENTS.items():
        of_treatment = table[table["treatment"] == treatment]
        for metric in MEASURED:
            rows[title, METRIC_TITLES[metric]] = {
                EMBEDDING_NAMES[str(kind)]: Estimate.over_units(of_kind[metric], seed)
                for kind, of_kind in of_treatment.groupby("kind", sort=False)
            }
    return BookTable("table-1-outliers", pd.DataFrame.from_dict(rows, orient="index"), as_half=True)
