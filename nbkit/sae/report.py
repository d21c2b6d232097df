"""The report on a sparse autoencoder: its row of Tables 2 and 3, and one row for each latent, with feature clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_whole
from nbkit.method.clusters import FeatureClusters, check_threshold, feature_clusters
from nbkit.method.metrics import polysemanticity_from_distances
from nbkit.sae.evaluation import Encoder, Measured, Readout, measure, median, received
from nbkit.sae.tensors import as_tensor

SAE_CUT, HIDDEN_CUT = 0.05, 0.2
"""Distances at which the trees of SAE latents and of the MLP's hidden neurons are cut (the author's MNIST page)."""
CLUSTER_COLUMNS = ("intra_cluster", "inter_cluster", "n_clusters", "largest_share", "silhouette")
"""Of `nbkit.method.metrics.Polysemanticity`."""


@dataclass(frozen=True, eq=False)
class SaeReport:
    """What `evaluate_sae` finds out about a sparse autoencoder of m latents."""

    summary: dict[str, float]
    """Those of `Measured.summary`, and the medians of the clusters' columns over the latents with two examples."""
    latents: pd.DataFrame
    """One row for each latent; NaN where undefined.

    On the test inputs: `n_examples`, how many activate it, and `density`, their share; `size`, at most max_examples of
    these, which the rest is about: `max_distance`, `mean_distance`, `intra_cluster`, `inter_cluster`, `n_clusters`,
    `largest_share` and `silhouette` (see `Polysemanticity`), NaN below two examples; `purity`. On all
    test inputs: `monosemanticity`. On the training inputs: `max_activation`, and `dead`, whether it stays below
    `dead_below`. Of its weights: `participation`.
    """
    threshold: float
    """Where the trees are cut."""
    encoder: Encoder
    """What it is about."""
    _measured: Measured
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
        return self._measured.examples.inputs[self._rows(latent)].numpy()

    def activations(self, latent: int) -> Float[np.ndarray, " size"]:
        """How much the examples activate the latent.

        Raises:
            NbkitError: there is no such latent.
        """
        return self._measured.examples.activations[self._rows(latent)].numpy()

    def embeddings(self, latent: int) -> Float[np.ndarray, "size d_in"]:
        """h * w_enc[:, latent] of the examples, in float64; h is what the weights receive, normalized if the
        autoencoder normalizes its input.

        Raises:
            NbkitError: there is no such latent.
        """
        rows = self._rows(latent)
        h = received(self.encoder, self._test[self._measured.examples.inputs[rows].to(self._test.device)])
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
                threshold is no distance.
        """
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
        return feature_clusters(np.hstack([embeddings, apart]), self.threshold if threshold is None else threshold)

    def _rows(self, latent: int) -> slice:
        m = self.encoder.w_enc.shape[1]
        if not 0 <= checked_whole("latent", latent) < m:
            raise NbkitError(f"There is no latent {latent}: choose 0 to {m - 1}.")
        return self._measured.examples.of(latent)


def evaluate_sae(
    sae: Encoder,
    train: Float[Tensor, "n_train d_in"],
    test: Float[Tensor, "n_test d_in"],
    readout: Readout | None = None,
    labels: Int[Tensor, " n_test"] | None = None,
    images: Float[Tensor, "n_test p"] | None = None,
    max_examples: int = 100,
    threshold: float = SAE_CUT,
    batch_size: int = 1024,
    dead_below: float | None = None,
) -> SaeReport:
    """Evaluates a sparse autoencoder and each of its latents, with the feature clusters of their examples.

    Args:
        sae: the autoencoder; or a layer of neurons, as the hidden layer of `MnistMLP` on images.
        train: (n_train, d_in) what it read while training.
        test: (n_test, d_in) what everything but dead latents is measured on.
        readout: logits from activations, for the accuracies; needs `labels`.
        labels: (n_test,) classes, for the accuracies and the purity.
        images: (n_test, p) raw images, for the monosemanticity score.
        max_examples: test inputs that count as a latent's examples: the first that activate it.
        threshold: cosine distance in (0, 1] at which the trees of the examples are cut; the author's MNIST page takes
            0.05 for latents and 0.2 for hidden neurons.
        batch_size: inputs that are encoded together; changes speed and memory alone.
        dead_below: activation that some training input must give a latent for it not to count as dead. It depends on
            the scale of the latents' activations. None for the author's 0.005, or, if no latent reaches an activation
            of 1, for 0.005 of the largest.

    Raises:
        NbkitError: a transcoder, arguments that don't fit together, an empty set, values that are not finite, or a
            threshold that is no distance.
    """
    check_threshold(threshold)
    test = as_tensor(test, "The test activations")
    measured = measure(sae, train, test, readout, labels, images, max_examples, batch_size, dead_below)
    latents = pd.DataFrame(measured.latents).astype({"n_examples": int, "size": int})
    latents.insert(2, "density", latents["n_examples"] / len(test))
    latents.insert(4, "dead", measured.dead)
    report = SaeReport(measured.summary, latents, threshold, sae, measured, test)
    rows: list[dict[str, Any]] = []
    for latent, distance in enumerate(latents["mean_distance"]):
        found: dict[str, Any] = {}
        if not np.isnan(distance):
            clusters = report.clusters(latent)
            found = polysemanticity_from_distances(clusters.distances, clusters.labels)._asdict()
        rows.append({name: found.get(name, np.nan) for name in CLUSTER_COLUMNS})
    clustered = pd.DataFrame(rows, columns=list(CLUSTER_COLUMNS), dtype=float)
    latents[list(CLUSTER_COLUMNS)] = clustered
    report.summary.update({name: median(clustered[name].to_numpy()) for name in CLUSTER_COLUMNS})
    return report
