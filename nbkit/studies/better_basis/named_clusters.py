"""A real neuron's clusters in a basis of features, each with the features that carry it: a label without a language
model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.neuron import Neuron
from nbkit.errors import NbkitError
from nbkit.features.showcase import Choice, several_behaviors
from nbkit.method.clusters import FeatureClusters, feature_clusters
from nbkit.method.feature_basis import feature_contributions, feature_embeddings
from nbkit.method.truth.recovery import with_directions
from nbkit.method.truth.terms import GatedTerms
from nbkit.models import activation_function
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.studies.better_basis.stages import CUT
from nbkit.studies.shared.behaviors import frequent_tokens, key_tokens
from nbkit.studies.shared.estimate import UNDEFINED
from nbkit.studies.shared.language_model_saes import WithLatents
from nbkit.studies.shared.learned import codes_of
from nbkit.studies.shared.table import BookTable

MOST_CLUSTERS, MOST_FEATURES, WORDS = 6, 2, 3
"""In a table."""
PAPERS, OURS = "in the paper's space", "in the basis of features"


@dataclass(frozen=True, eq=False)
class Clustered:
    """A neuron's examples in two spaces, and what each feature of the dictionary adds to it there."""

    neuron: Neuron
    rule: str
    """How it was chosen, as a sentence."""
    site: int
    """Of the dictionary's latents in the joined atlas."""
    contributions: Float[np.ndarray, "n f"]
    papers: FeatureClusters
    ours: FeatureClusters
    unexplained: float
    """The share of the variance that the dictionary leaves, in percent, on text that it was not trained on."""


def one_neuron(both: WithLatents) -> Clustered:
    """Cluster the examples of a neuron of several behaviors, in the layer whose inputs a dictionary was trained on.

    A gated neuron's weights change with what it reads. It is taken to read with their mean over its examples, the
    gradient of its mean activation.

    Args:
        both: neurons, and latents at the `mlp.hook_in` of a layer among theirs.

    Raises:
        NbkitError: there are no such latents, or no neuron to show.
    """
    layer, site = _place(both)
    name = f"blocks.{layer}.mlp.hook_in"
    sae = SparseAutoencoder.load(Path(both.folders[name]))
    choice: Choice = several_behaviors(both.neurons, layer)
    neuron = choice.neuron
    codes, directions, weights = codes_of(sae, neuron.pre_mlp), sae.w_dec.detach().numpy(), read_weights(neuron)
    embeddings = feature_embeddings(codes, directions, weights)
    return Clustered(
        neuron,
        choice.rule,
        site,
        feature_contributions(codes, directions, weights),
        neuron.clusters(CUT),
        feature_clusters(with_directions(embeddings), CUT),
        100 * float(both.quality.set_index("hook")["unexplained"][name]),
    )


def _place(both: WithLatents) -> tuple[int, int]:
    """A layer of neurons and the site of the latents of what its MLP reads."""
    for site in both.joined.manifest.sites:
        for layer in both.neurons.layers:
            if site.unit == "latent" and site.name == f"blocks.{layer}.mlp.hook_in":
                return layer, site.number
    raise NbkitError(
        "No autoencoder reads what an MLP of this atlas reads: add `blocks.N.mlp.hook_in` of a scanned layer to `hooks`"
    )


def read_weights(neuron: Neuron) -> Float[np.ndarray, " d"]:
    """The weights with which a neuron reads its examples: of a gated one the mean gradient of its activation."""
    own = neuron.weights
    if own.w_gate is None:
        return own.w_in
    gated = GatedTerms(
        own.w_gate[None],
        own.w_in[None],
        activation_function(neuron.activation),
        np.array([own.b_gate]),
        np.array([own.b_in]),
    )
    return gated.weights(neuron.pre_mlp, np.array([0]), np.ones(1))


def carrying(
    contributions: Float[np.ndarray, "n f"], labels: Int[np.ndarray, " n"], label: int, most: int = MOST_FEATURES
) -> list[tuple[int, float, float]]:
    """The features that carry a cluster: their mean contribution in it is above that elsewhere; the largest first.

    Args:
        contributions: see `feature_contributions`.
        labels: the cluster of each example.
        label: the cluster.
        most: features.

    Returns:
        Of each its number, its share of all that pushes the unit in this cluster, and its share elsewhere.
    """
    pushing = np.clip(contributions, 0, None)
    inside, outside = pushing[labels == label].mean(axis=0), np.zeros(pushing.shape[1])
    if (labels != label).any():
        outside = pushing[labels != label].mean(axis=0)
    shares = [each / total if (total := each.sum()) else each for each in (inside, outside)]
    order = np.argsort(-inside, kind="stable")
    return [(int(f), float(shares[0][f]), float(shares[1][f])) for f in order if inside[f] > outside[f]][:most]


def clusters_named(both: WithLatents, found: Clustered, most: int = MOST_CLUSTERS) -> BookTable:
    """The largest clusters of a neuron in the paper's space and in the basis of features, each with the features that
    carry it there, and these with their own most frequent key tokens.

    Args:
        both: what `found` was made of.
        found: of `one_neuron`.
        most: clusters of a space.
    """
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for space, clusters in ((PAPERS, found.papers), (OURS, found.ours)):
        for label, size in enumerate(clusters.sizes.tolist()[:most]):
            carried = carrying(found.contributions, clusters.labels, label)
            members = [found.neuron.snippets[i] for i in np.flatnonzero(clusters.labels == label).tolist()]
            rows[space, f"{label + 1}"] = {
                "examples": size,
                "key tokens": key_tokens(members, WORDS),
                "features that carry it": _features(both.joined, found.site, carried),
            }
    return BookTable("clusters-named", pd.DataFrame(list(rows.values()), index=pd.MultiIndex.from_tuples(list(rows))))


def _features(atlas: Atlas, site: int, carried: Sequence[tuple[int, float, float]]) -> str:
    """Each as `on, upon (#12): 47% / 3%`."""
    texts = []
    for number, inside, outside in carried:
        latent = atlas.neuron(site, number)
        words = ", ".join(token for token, _ in frequent_tokens(latent.snippets, WORDS)) if len(latent) else UNDEFINED
        texts.append(f"{words} (#{number}): {inside:.0%} / {outside:.0%}")
    return "; ".join(texts)
