"""The report on a sparse autoencoder: its row of Tables 2 and 3, a row for each latent, and their feature clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_whole
from nbkit.method.clusters import FeatureClusters, feature_clusters
from nbkit.method.metrics import polysemanticity_from_distances
from nbkit.sae.encoder import Encoder, received
from nbkit.sae.latents import Examples

CLUSTER_COLUMNS = ("intra_cluster", "inter_cluster", "n_clusters", "largest_share", "silhouette")
"""Of `nbkit.method.metrics.Polysemanticity`."""


@dataclass(frozen=True, eq=False)
class SaeReport:
    """What `evaluate_sae` finds out about a sparse autoencoder of m latents."""

    summary: dict[str, float]
    """One number each, as in Tables 2 and 3.

    - `mse`, the mean squared error of an element, and `explained_variance`, 1 less the share of the variance that the
      errors make;
    - `accuracy` with the reconstruction in place of the activations, and its drop `accuracy_loss`, in percent;
    - `l1`, the activations of all latents summed over 128 inputs (the mean of such batches);
    - `l0`, the latents that an input activates, in percent of all;
    - `dead`, the latents that no training input activates by `dead_below`, and `dead_strict`, those that none
      activates at all, whatever the scale, in percent;
    - `size`, the median number of examples over the latents that have one;
    - medians over the latents that have two examples: `max_distance` and `mean_distance`, over all pairs of a latent's
      examples; `participation` of its weights times the inputs' standard deviations; `purity`, the share of its
      commonest class among its examples; `monosemanticity` (Pach et al. 2025) on all test inputs; and the columns of
      clusters. NaN if no latent has two examples. A latent none of whose examples' embeddings has a direction, as one
      of whose encoder weights are zeros, has no distances and doesn't count in their medians.
    """
    latents: pd.DataFrame
    """One row for each latent; NaN where undefined.

    On the test inputs: `n_examples`, how many activate it, and `density`, their share; `size`, at most max_examples of
    these, which the rest is about: `max_distance`, `mean_distance`, `intra_cluster`, `inter_cluster`, `n_clusters`,
    `largest_share` and `silhouette` (see `Polysemanticity`), NaN below two examples; `purity`. Without a threshold the
    columns of clusters are missing. On all test inputs: `monosemanticity`. On the training inputs: `max_activation`,
    and `dead`, whether it stays below `dead_below`. Of its weights: `participation`.
    """
    threshold: float | None
    """Distance at which the trees of examples are cut; None if none was given."""
    encoder: Encoder
    """Autoencoder, or layer of neurons, that the report is about."""
    all_examples: Examples
    """Examples of all latents, one latent after the other."""
    _test: Float[Tensor, "n_test d_in"]

    def __repr__(self) -> str:
        table = self.latents
        n, undirected = len(table), int(self._undirected.sum())
        text = f"{n} latents: {int((table['size'] > 0).sum())} with examples, {int(table['dead'].sum())} dead"
        if undirected:
            text += f"; {undirected} of {n} latents have no direction: NaN"
        return f"SaeReport({text})"

    @property
    def _undirected(self) -> pd.Series[bool]:
        """Latents with two examples whose embeddings have no direction."""
        return (self.latents["size"] >= 2) & self.latents["mean_distance"].isna()

    @property
    def shape(self) -> tuple[int, ...]:
        """(n_test, d_in) of the test inputs."""
        return tuple(self._test.shape)

    def examples(self, latent: int) -> Int[np.ndarray, " size"]:
        """Places of the latent's examples in the test set, in order.

        Raises:
            NbkitError: there is no such latent.
        """
        return self.all_examples.inputs[self._rows(latent)].numpy()

    def activations(self, latent: int) -> Float[np.ndarray, " size"]:
        """How much the examples activate the latent.

        Raises:
            NbkitError: there is no such latent.
        """
        return self.all_examples.activations[self._rows(latent)].numpy()

    def embeddings(self, latent: int) -> Float[np.ndarray, "size d_in"]:
        """h * w_enc[:, latent] of the examples, in float64; h is what the weights receive, normalized if the
        autoencoder normalizes its input.

        Raises:
            NbkitError: there is no such latent.
        """
        rows = self._rows(latent)
        h = received(self.encoder, self._test[self.all_examples.inputs[rows].to(self._test.device)])
        return (h.detach().double().cpu() * self.encoder.w_enc[:, latent].detach().double().cpu()).numpy()

    def has_direction(self, latent: int) -> bool:
        """Whether the embedding of any example of the latent has a direction, so that it has clusters.

        Raises:
            NbkitError: there is no such latent.
        """
        return bool(self.embeddings(latent).any())

    def clusters(self, latent: int, threshold: float | None = None) -> FeatureClusters:
        """The examples in feature clusters, by average linkage.

        An embedding of zeros has no direction: it counts as distance 1 from every other, if any has one.

        Args:
            latent: its number.
            threshold: distance in (0, 1] to cut at; None for the report's.

        Raises:
            NbkitError: there is no such latent, it has no examples, none of their embeddings has a direction, or the
                threshold is no distance or missing.
        """
        threshold = self.threshold if threshold is None else threshold
        if threshold is None:
            raise NbkitError("This report has no threshold to cut at: give one.")
        embeddings = self.embeddings(latent)
        if len(embeddings) == 0:
            raise NbkitError(f"Latent {latent} has no examples to cluster: no test input activates it.")
        zero = np.flatnonzero(~embeddings.any(axis=1))
        if len(zero) == len(embeddings):
            raise NbkitError(
                f"Latent {latent} has no clusters: the embeddings of its examples are all zeros and have no direction, "
                "as of a latent whose encoder weights are zeros."
            )
        apart = np.zeros((len(embeddings), len(zero)))  # a dimension of its own for each
        apart[zero, np.arange(len(zero))] = 1.0
        return feature_clusters(np.hstack([embeddings, apart]), threshold)

    def cluster_columns(self) -> pd.DataFrame:
        """The figures of every latent's clusters (`CLUSTER_COLUMNS`), NaN where it has no distances.

        Raises:
            NbkitError: the report has no threshold.
        """
        rows: list[dict[str, Any]] = []
        for latent, distance in enumerate(self.latents["mean_distance"]):
            found: dict[str, Any] = {}
            if not np.isnan(distance):
                clusters = self.clusters(latent)
                found = polysemanticity_from_distances(clusters.distances, clusters.labels)._asdict()
            rows.append({name: found.get(name, np.nan) for name in CLUSTER_COLUMNS})
        return pd.DataFrame(rows, columns=list(CLUSTER_COLUMNS), dtype=float)

    def _rows(self, latent: int) -> slice:
        m = self.encoder.w_enc.shape[1]
        if not 0 <= checked_whole("latent", latent) < m:
            raise NbkitError(f"There is no latent {latent}: choose 0 to {m - 1}.")
        return self.all_examples.of(latent)
