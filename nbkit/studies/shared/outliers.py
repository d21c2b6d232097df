"""The coordinates that stand out of a layer of an atlas, and neurons that hang on one coordinate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from nbkit.atlas.atlas import Atlas
from nbkit.method.coordinates import HANGS, outlier_coordinates
from nbkit.studies.shared.populations import ENOUGH_EXAMPLES, has_examples, named
from nbkit.studies.shared.quantity import Quantity

NEURONS_READ = 200
"""Neurons of a layer whose examples tell how large its coordinates are."""


@dataclass(frozen=True, eq=False)
class LayerCoordinates:
    """How large the coordinates of what a layer's neurons read are over their examples."""

    outliers: Int[np.ndarray, " k"]
    """Those that stand out (see `outlier_coordinates`), largest first."""
    mean: Float[np.ndarray, " d"]
    deviation: Float[np.ndarray, " d"]

    @classmethod
    def of(cls, atlas: Atlas, layer: int, seed: int = 0) -> LayerCoordinates:
        """Of a layer that has examples, from those of some of its neurons, drawn at random."""
        of_layer = atlas.neurons[(atlas.neurons["layer"] == layer) & (atlas.neurons["n_examples"] > 0)]
        drawn = of_layer.sample(min(NEURONS_READ, len(of_layer)), random_state=seed)
        read = np.concatenate([atlas.neuron(layer, int(index)).pre_mlp for index in drawn["index"]])
        return cls(outlier_coordinates(read), read.mean(axis=0, dtype=np.float64), read.std(axis=0, dtype=np.float64))

    def standardized(self, read: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """Vectors whose outlier coordinates are centered and as wide as the median coordinate; one that does not vary
        is centered alone."""
        k, changed = self.outliers, read.astype(np.float64)
        deviation = self.deviation[k]
        factors = np.divide(np.median(self.deviation), deviation, out=np.ones_like(deviation), where=deviation > 0)
        changed[:, k] = (changed[:, k] - self.mean[k]) * factors
        return changed

    def left_out(self, read: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
        """Vectors whose outlier coordinates are zeros."""
        changed = read.astype(np.float64)
        changed[:, self.outliers] = 0
        return changed


def hang(atlas: Atlas, min_examples: int = ENOUGH_EXAMPLES) -> Bool[np.ndarray, " n_neurons"]:
    """Which neurons with enough examples hang on one coordinate: more than `HANGS` of their embeddings lies there.

    Raises:
        NbkitError: if no neuron has that many examples.
    """
    hanging: Bool[np.ndarray, " n_neurons"] = (
        has_examples(atlas, min_examples) & (atlas.neurons["concentration"] > HANGS).to_numpy()
    )
    return hanging


def share_that_hangs(atlas: Atlas, min_examples: int = ENOUGH_EXAMPLES) -> Quantity[float]:
    """The share of the neurons with enough examples that hang on one coordinate."""
    share = float(hang(atlas, min_examples).sum() / has_examples(atlas, min_examples).sum())
    return Quantity(named("share that hangs on one coordinate", min_examples), share)
