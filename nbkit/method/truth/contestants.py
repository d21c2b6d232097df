"""Contestants: spaces in which a unit's examples may fall into its behaviors. Each is a function of a `Unit`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from sklearn.covariance import ledoit_wolf

from nbkit.method.embeddings import neuron_embeddings
from nbkit.method.feature_basis import feature_contributions, side_by_side
from nbkit.method.truth.nearest_pairs import pairs_metric
from nbkit.method.truth.unit import Background, Unit

Embed = Callable[[Unit], Float[np.ndarray, "n any"] | None]
"""From what is seen of a unit to one embedding for each example; None to sit the unit out."""

BASELINE = "pre-MLP"
"""The contestant that others are compared to."""


def pre_mlp(unit: Unit) -> Float[np.ndarray, "n d"]:
    """The vector that the unit receives, as it is."""
    return unit.read


def centered(unit: Unit) -> Float[np.ndarray, "n d"]:
    """The vector minus the layer's mean."""
    moved: Float[np.ndarray, "n d"] = unit.read - unit.background.mean
    return moved


def whitened(unit: Unit) -> Float[np.ndarray, "n d"]:
    """The centered vector in coordinates in which the layer's vectors have variance 1 and no correlation, with the
    shrinkage of Ledoit and Wolf (2004), which takes no labels."""
    whitened: Float[np.ndarray, "n d"] = centered(unit) @ _whitening(unit.background)
    return whitened


def in_pairs_metric(unit: Unit) -> Float[np.ndarray, "n d"]:
    """The centered vector in a metric learned from vectors of the layer that are each other's nearest, see
    `pairs_metric`: directions in which they differ count for less. No labels and no weights."""
    in_metric: Float[np.ndarray, "n d"] = centered(unit) @ pairs_metric(unit.background)
    return in_metric


def paper_in_pairs_metric(unit: Unit) -> Float[np.ndarray, "n d"]:
    """Equation 1 in the coordinates of that metric, with the weights that read the same there: its sum is the centered
    vector's product with the weights."""
    return neuron_embeddings(in_pairs_metric(unit), np.linalg.solve(pairs_metric(unit.background), unit.weights))


def paper(unit: Unit) -> Float[np.ndarray, "n d"]:
    """Equation 1: the vector times the weights, coordinate by coordinate. Its cosines are those of the vector times the
    weights' magnitudes: a sign turns a coordinate around for both of a pair."""
    return neuron_embeddings(unit.read, unit.weights)


def paper_centered(unit: Unit) -> Float[np.ndarray, "n d"]:
    """Equation 1 of the centered vector."""
    return neuron_embeddings(centered(unit), unit.weights)


def feature_basis(unit: Unit) -> Float[np.ndarray, "n f"] | None:
    """Equation 1 in the basis of the unit's known features: how much each contributes to the pre-activation."""
    known = unit.features
    return None if known is None else feature_contributions(known.codes, known.directions, unit.weights)


def codes(unit: Unit) -> Float[np.ndarray, "n f"] | None:
    """How much of each known feature is there, whatever the unit makes of it."""
    return None if unit.features is None else unit.features.codes


def centered_beside_paper(unit: Unit) -> Float[np.ndarray, "n 2d"]:
    """The centered vector beside equation 1."""
    return side_by_side(centered(unit), paper(unit))


def key_token(unit: Unit) -> Float[np.ndarray, "n tokens"] | None:
    """The key token alone: examples of one token are one, all others are equally far."""
    if unit.text is None:
        return None
    different, which = np.unique(unit.text.keys, return_inverse=True)
    one_hot: Float[np.ndarray, "n tokens"] = np.eye(len(different))[which]
    return one_hot


def window(unit: Unit) -> Float[np.ndarray, "n d"] | None:
    """The mean of the centered vectors of the key token and those before it."""
    if (text := unit.text) is None or text.window is None:
        return None
    there = text.window.any(axis=2, keepdims=True)  # not before the text begins
    mean: Float[np.ndarray, "n d"] = np.where(there, text.window - unit.background.mean, 0.0).mean(axis=1)
    return mean


def paper_window(unit: Unit) -> Float[np.ndarray, "n d"] | None:
    """Equation 1 over several tokens, the paper's future work: the vectors of the key token and those before it, each
    weighted by how far it pushes the unit as the key token does, times the weights."""
    if (text := unit.text) is None or text.window is None:
        return None
    pushes = np.clip(text.window @ unit.weights, 0, None)  # (n, t)
    pushes[~pushes.any(axis=1), -1] = 1  # where none does, the key token alone
    weighted: Float[np.ndarray, "n d"] = np.einsum("nt,ntd->nd", pushes, text.window) / pushes.sum(axis=1)[:, None]
    embeddings: Float[np.ndarray, "n d"] = neuron_embeddings(weighted, unit.weights)
    return embeddings


def attended(unit: Unit) -> Float[np.ndarray, "n d"] | None:
    """The mean of the centered vectors of the text's tokens, weighted by the layer's attention from the key token."""
    if (text := unit.text) is None or text.attended is None:
        return None
    moved: Float[np.ndarray, "n d"] = text.attended - unit.background.mean
    return moved


def previous_layer(unit: Unit) -> Float[np.ndarray, "n d"] | None:
    """The centered vector of the layer before, at the key token."""
    return None if unit.text is None else unit.text.previous


def neurons_before(unit: Unit) -> Float[np.ndarray, "n m"] | None:
    """Equation 1 through two layers: how much each neuron of the layer before adds to the pre-activation by what it
    writes at the key token, which the layer reads as it is but for its norm. What reaches the layer otherwise, from
    earlier layers or other tokens, is left out."""
    if (text := unit.text) is None or (known := text.neurons_before) is None:
        return None
    return feature_contributions(known.codes, known.directions, unit.weights)


def centered_beside_neurons_before(unit: Unit) -> Float[np.ndarray, "n m+d"] | None:
    """The centered vector beside what each neuron of the layer before adds."""
    added = neurons_before(unit)
    return None if added is None else side_by_side(centered(unit), added)


def loss_gradient(unit: Unit) -> Float[np.ndarray, "n d"] | None:
    """How the text's loss depends on what the layer writes at the key token: what of a unit's effect downstream, its
    output weights times this gradient, is the example's."""
    return None if unit.text is None else unit.text.loss_gradient


CONTESTANTS: Mapping[str, Embed] = {
    BASELINE: pre_mlp,
    "centered": centered,
    "whitened": whitened,
    "nearest pairs": in_pairs_metric,
    "paper's": paper,
    "paper's, centered": paper_centered,
    "paper's, nearest pairs": paper_in_pairs_metric,
    "centered + paper's": centered_beside_paper,
    "true features": feature_basis,
    "true codes": codes,
    "key token": key_token,
    "window": window,
    "paper's, over the window": paper_window,
    "attended": attended,
    "previous layer": previous_layer,
    "neurons before": neurons_before,
    "centered + neurons before": centered_beside_neurons_before,
    "loss gradient": loss_gradient,
}
"""Contestants by name, in the order of tables."""


@lru_cache(maxsize=16)
def _whitening(background: Background) -> Float[np.ndarray, "d d"]:
    covariance, _ = ledoit_wolf(background.vectors.astype(np.float64))
    values, vectors = np.linalg.eigh(covariance)
    whitening: Float[np.ndarray, "d d"] = vectors / np.sqrt(values) @ vectors.T
    return whitening
