"""Do the names of clusters hold? Whether the naming feature tells the cluster on documents that were not clustered.

Half of a neuron's examples, those of even documents, are clustered, and the clusters named. Each of the others belongs
to the cluster whose vectors, minus the layer's mean, are on average most like its own: in that neither the autoencoder
nor a neuron's weights have a part. Then the activity of the feature that names a cluster should tell who belongs to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial.distance import cdist
from tqdm.auto import tqdm

from nbkit.atlas.neuron import InputWeights, Neuron
from nbkit.features.in_basis import FeatureBasis
from nbkit.method.checks import checked_seed, checked_whole, have_direction
from nbkit.method.clusters import PAPER_CUT, feature_clusters
from nbkit.method.feature_basis import carried, feature_contributions, feature_embeddings, side_by_side
from nbkit.studies.better_basis.named_clusters import LayerInBasis
from nbkit.studies.shared.auc import auc_of
from nbkit.studies.shared.estimate import Difference, Estimate
from nbkit.studies.shared.nearest_clusters import nearest_clusters
from nbkit.studies.shared.scaled_training import start_scaled, topk_config
from nbkit.studies.shared.table import BookTable

NAMING_CONDITIONS = {
    "own": "the neuron's weights, the trained dictionary",
    "shuffled": "another neuron's weights",
    "random": "a random dictionary",
}
"""What clusters and names are made with."""
HELD_OUT_COLUMNS = ("index", "condition", "clusters", "named", "other")
SAMPLE = 10
"""Neurons whose examples tell the scale of a random dictionary and how many features are active."""


@dataclass(frozen=True)
class HeldNames:
    """Whether names hold, means over neurons with bootstrap intervals; AUC, 0.5 for a guess."""

    neurons: int
    clusters: int
    named: Estimate
    """Of the feature that names a cluster."""
    over_other: Difference
    """Over another feature that is active in the cluster, drawn at random."""
    over_shuffled: Difference
    """Over the names that another neuron's weights give, of its own clusters, neuron by neuron."""
    over_random: Difference
    """Over the names from a random dictionary with as many features, of which as many are active."""
    table: BookTable

    @property
    def measured(self) -> bool:
        """Whether any neuron had enough examples."""
        return self.named.known

    @property
    def holds(self) -> bool:
        """Whether the name is above a guess and above another active feature, with whole intervals."""
        return self.named.low > 0.5 and self.over_other.sign > 0

    @property
    def needs_weights(self) -> bool:
        """Whether it is above what another neuron's weights give."""
        return self.over_shuffled.sign > 0

    @property
    def needs_training(self) -> bool:
        """Whether it is above what a random dictionary gives."""
        return self.over_random.sign > 0


def names_on_held_out(
    layer: LayerInBasis, n_examples: int = 10, most: int = 300, seed: int = 0, progress: bool = True
) -> pd.DataFrame:
    """Test names of clusters on examples that were not clustered, with what they should need and without.

    Args:
        layer: of `layer_in_basis`.
        n_examples: that a neuron has in even documents at least, and as many in odd ones.
        most: neurons, drawn at random.
        seed: of the draw, and of the random dictionary.

    Returns:
        One row a neuron and condition (see `NAMING_CONDITIONS`): the neuron's `index`; how many `clusters` have two
        examples or more, a name, and examples of odd documents that belong to them, but not all; and means over these
        of `named`, the AUC with which the activity of the naming feature tells them, and `other`, the mean AUC of all
        other features that are active in the cluster.
    """
    n_examples, most = checked_whole("n_examples", n_examples, 1), checked_whole("most", most, 1)
    basis = layer.basis
    table = basis.atlas.neurons[basis.atlas.neurons["layer"] == basis.site.number]
    able = table["index"][table["n_examples"] >= 2 * n_examples].to_numpy()
    if not len(able):
        return pd.DataFrame(columns=list(HELD_OUT_COLUMNS))
    drawn = np.random.default_rng(checked_seed(seed)).permutation(able)
    others = random_basis(basis, drawn[:SAMPLE], seed)
    taken = islice(_with_both_sides(basis, drawn, n_examples), most)
    rows: list[tuple[object, ...]] = []
    for neuron, donor, odd in tqdm(taken, "held-out names", min(most, len(drawn)), unit="neuron", disable=not progress):
        rows += _of_neuron(basis, others, neuron, donor, odd)
    return pd.DataFrame(rows, columns=list(HELD_OUT_COLUMNS))


def _with_both_sides(
    basis: FeatureBasis, drawn: Int[np.ndarray, " m"], n_examples: int
) -> Iterator[tuple[Neuron, InputWeights, Bool[np.ndarray, " n"]]]:
    """Of some neurons those with enough examples in even and in odd documents, with another's weights and which of the
    examples are of odd ones."""
    documents = basis.atlas.contexts.documents
    for index in drawn:
        neuron = basis.atlas.neuron(basis.site.number, int(index))
        odd = documents[neuron.context] % 2 == 1
        if min(odd.sum(), (~odd).sum()) >= n_examples and neuron.has_direction() and neuron.donor is not None:
            yield neuron, neuron.donor, odd


def random_basis(basis: FeatureBasis, sample: Int[np.ndarray, " some"], seed: int) -> FeatureBasis:
    """A layer in the basis of a random dictionary: as many features, and as many of them active, of random
    directions; those along which a vector lies furthest from the mean are active.

    Args:
        sample: neurons whose examples tell how many are active, and the scale.
        seed: of the directions.
    """
    vectors = np.concatenate([basis.atlas.neuron(basis.site.number, int(index)).pre_mlp for index in sample])
    active = (basis.codes(vectors)[1] > 0).sum(axis=1).mean()
    config = topk_config(basis.sae.d_sae, max(1, round(float(active))), seed)
    sae = start_scaled(torch.tensor(vectors), config).requires_grad_(False)
    return replace(basis, sae=sae, sha256=sae.sha256, latents=None)


def held_names(table: pd.DataFrame, seed: int = 0) -> HeldNames:
    """Whether names hold, and whether they need the neuron's weights and a trained dictionary.

    Args:
        table: of `names_on_held_out`.
        seed: of the bootstrap.
    """
    by = {name: table[table["condition"] == name].set_index("index") for name in NAMING_CONDITIONS}
    own = by["own"]

    def over(other: pd.Series) -> Difference:
        return Difference.over_units((own["named"] - other).astype(float), seed)

    rows = {
        title: {
            "neurons": len(mine := by[name]),
            "clusters": int(mine["clusters"].sum()),
            "the naming feature": Estimate.over_units(mine["named"].astype(float), seed),
            "another active one": Estimate.over_units(mine["other"].astype(float), seed),
            "difference": Difference.over_units((mine["named"] - mine["other"]).astype(float), seed),
        }
        for name, title in NAMING_CONDITIONS.items()
    }
    return HeldNames(
        len(own),
        int(own["clusters"].sum()),
        Estimate.over_units(own["named"].astype(float), seed),
        over(own["other"]),
        over(by["shuffled"]["named"]),
        over(by["random"]["named"]),
        BookTable("held-out-names", pd.DataFrame.from_dict(rows, orient="index")),
    )


def _of_neuron(
    basis: FeatureBasis, others: FeatureBasis, neuron: Neuron, donor: InputWeights, odd: Bool[np.ndarray, " n"]
) -> Iterator[tuple[object, ...]]:
    conditions = {"own": (basis, neuron.weights), "shuffled": (basis, donor), "random": (others, neuron.weights)}
    for name, (dictionary, weights) in conditions.items():
        tested = aucs(dictionary, weights, neuron, odd)
        if len(tested):
            yield neuron.index, name, len(tested), *tested.mean(axis=0)


def aucs(
    basis: FeatureBasis, weights: InputWeights, neuron: Neuron, odd: Bool[np.ndarray, " n"]
) -> Float[np.ndarray, "clusters 2"]:
    """For each cluster of examples that can be tested, the AUC of the naming feature, and the mean of the others'.

    Args:
        basis: the dictionary.
        weights: with which the examples are read.
        odd: which of the neuron's examples are held out.
    """
    read, even = neuron.pre_mlp, ~odd
    features, codes = basis.codes(read)
    arrays = codes, basis.directions(features), weights.on_the_whole(read[even], neuron.activation)
    centered = read - basis.mean
    embeddings = side_by_side(centered, feature_embeddings(*arrays))[even]
    if not have_direction(embeddings).all():
        return np.empty((0, 2))
    labels = feature_clusters(embeddings, PAPER_CUT).labels
    found = carried(feature_contributions(*arrays)[even], labels)
    belongs = nearest_clusters(distances_to(centered[even], centered[odd]), labels)
    tested = []
    for label in np.flatnonzero(np.bincount(labels) >= 2).tolist():
        named, inside = found.names(label, 1), belongs == label
        active = codes[even][labels == label].any(axis=0)
        active[named] = False
        if len(named) and active.any() and 0 < inside.sum() < len(inside):
            auc = auc_of(codes[odd], inside)
            tested.append((float(auc[named[0]]), float(auc[active].mean())))
    return np.array(tested).reshape(-1, 2)


def distances_to(clustered: Float[np.ndarray, "n d"], others: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "m n"]:
    """Cosine distances of some others to the clustered vectors; one of zeros alone is at distance 1 of all."""
    distances: Float[np.ndarray, "m n"] = np.nan_to_num(cdist(others, clustered, "cosine"), nan=1)
    return distances
