"""One neuron in the basis of an autoencoder's features: its feature clusters, and the features that name each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from nbkit.atlas.neuron import Neuron
from nbkit.errors import NbkitError
from nbkit.features.key_tokens import InWords
from nbkit.method.checks import have_direction
from nbkit.method.clusters import FeatureClusters, feature_clusters
from nbkit.method.feature_basis import carried, feature_contributions, feature_embeddings, side_by_side
from nbkit.method.metrics import Polysemanticity, polysemanticity_from_distances

MOST_NAMES = 3
"""Features that name a cluster."""
NAMED_COLUMNS = ("layer", "index", "cluster", "size", "features", "shares", "elsewhere")
"""Of a table of named clusters without words."""


@dataclass(frozen=True, eq=False)
class NeuronInBasis:
    """A neuron's n dataset examples in the basis of an autoencoder's features. Made by `FeatureBasis.neuron`."""

    neuron: Neuron
    """Neuron that the examples are of."""
    features: Int[np.ndarray, " m"]
    """Numbers of the latents that are active in any of the examples, ascending."""
    codes: Float[np.ndarray, "n m"]
    """How much of each feature an example holds."""
    directions: Float[np.ndarray, "m d"]
    """What each feature writes into the vector, at a code of 1."""
    mean: Float[np.ndarray, " d"]
    """The mean vector that the layer reads."""
    latents: InWords | None = None
    """The latents in words, if an atlas of them is at hand."""

    @cached_property
    def weights(self) -> Float[np.ndarray, " d"]:
        """The weights with which the neuron reads: a gated one's change with what it reads, and here they are the mean
        gradient of its activation over its examples."""
        neuron = self.neuron
        return neuron.weights.on_the_whole(neuron.pre_mlp, neuron.activation) if len(neuron) else neuron.w_in

    @cached_property
    def contributions(self) -> Float[np.ndarray, "n m"]:
        """How much each feature adds to the neuron's pre-activation."""
        return feature_contributions(self.codes, self.directions, self.weights)

    @cached_property
    def embeddings(self) -> Float[np.ndarray, "n 2d"]:
        """The vectors minus their layer's mean, beside `nbkit.feature_embeddings`: each scaled to length 1."""
        pushing = feature_embeddings(self.codes, self.directions, self.weights)
        return side_by_side(self.neuron.pre_mlp - self.mean, pushing)

    @cached_property
    def has_clusters(self) -> bool:
        """Whether the neuron has examples, weights that aren't zeros, and embeddings that all have a direction."""
        able = len(self.neuron) > 0 and self.neuron.has_direction()
        return able and bool(have_direction(self.embeddings).all())

    def clusters(self, threshold: float = 0.5, method: str = "average") -> FeatureClusters:
        """Feature clusters of the examples.

        Raises:
            NbkitError: the neuron has no examples or an embedding without a direction, or an argument is out of range.
        """
        if not self.has_clusters:
            raise NbkitError(
                f"{self.neuron.name} has no clusters in the basis of features: it has no dataset examples, or one "
                "whose embedding is all zeros or not finite"
            )
        return feature_clusters(self.embeddings, threshold, method)

    def polysemanticity(self, threshold: float = 0.5) -> Polysemanticity:
        """Metrics of the embeddings and their clusters.

        Raises:
            NbkitError: as for `clusters`.
        """
        clusters = self.clusters(threshold)
        return polysemanticity_from_distances(clusters.distances, clusters.labels)

    def named_clusters(self, threshold: float = 0.5) -> pd.DataFrame:
        """The feature clusters, each with the features that name it.

        A feature names a cluster if it carries more of it than of the neuron's other clusters, and the more the better:
        one that carries all of them alike names none. If all examples are one cluster, what carries it names it.

        Returns:
            One row a cluster, the largest first: `layer`, `index`, `cluster` (its label), `size`, and lists of up to
            three: `features`, numbers of latents; `shares`, of the cluster's mean contribution above zero; `elsewhere`,
            the same in all other examples; and, if an atlas of the latents is at hand, `words`, the features' own most
            frequent key tokens.

        Raises:
            NbkitError: as for `clusters`.
        """
        rows = self.rows(self.clusters(threshold))
        return with_words(pd.DataFrame(rows, columns=list(NAMED_COLUMNS)), self.latents)

    def rows(self, clusters: FeatureClusters) -> list[tuple[object, ...]]:
        """Rows of `named_clusters`, without words, for any clusters of the examples."""
        found, rows = carried(self.contributions, clusters.labels), []
        for label, size in enumerate(clusters.sizes.tolist()):
            named = found.names(label, MOST_NAMES)
            shares = (part[label, named].tolist() for part in (found.inside, found.elsewhere))
            rows.append((self.neuron.layer, self.neuron.index, label, size, self.features[named].tolist(), *shares))
        return rows

    @property
    def no_row(self) -> tuple[object, ...]:
        """What stands in a table for a neuron without clusters."""
        return self.neuron.layer, self.neuron.index, -1, 0, [], [], []


def with_words(table: pd.DataFrame, latents: InWords | None) -> pd.DataFrame:
    """A table of named clusters with the features' `words`, if these are known."""
    if latents is None:
        return table
    return table.assign(words=pd.Series([latents.of(each) for each in table["features"]], table.index, object))
