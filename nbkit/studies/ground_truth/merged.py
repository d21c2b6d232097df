"""Real neurons merged into units whose terms are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.method.truth.merged import merged_units
from nbkit.method.truth.unit import LabeledUnit

FEWEST_EXAMPLES = 10
"""Examples that a neuron needs to be a term."""


def merged_neurons(
    atlas: Atlas, terms: Sequence[int] = (2, 3, 5), n_examples: int = 100, balance: float = 1.0, seed: int = 0
) -> list[LabeledUnit]:
    """Merge neurons of each layer of an atlas, see `merged_units`.

    A neuron reads with its input weights, a gated one with its gate's, which decide whether it opens. Its up branch is
    left out, so of a gated neuron the merged unit is the sum of what opens it, and no sum of outputs. Which neurons are
    merged does not depend on any space; a term with several behaviors of its own counts as one.

    Args:
        atlas: of positive activations.
        terms: how many neurons are merged; units are made for each number.
        n_examples, balance, seed: see `merged_units`.

    Raises:
        NbkitError: the atlas looked for activations below zero, or a layer has too few neurons with ten examples.
    """
    if atlas.manifest.sign != "positive":
        raise NbkitError(f"The atlas is of {atlas.manifest.sign} activations: merging needs one of positive ones.")
    units = []
    for layer in atlas.layers:
        neurons = list(atlas.iterate(layer))
        weights = np.stack([neuron.w_in if neuron.w_gate is None else neuron.w_gate for neuron in neurons])
        read = [neuron.pre_mlp if len(neuron) >= FEWEST_EXAMPLES else neuron.pre_mlp[:0] for neuron in neurons]
        for number in terms:
            units += merged_units(weights, read, f"{atlas.manifest.model} L{layer}", number, n_examples, balance, seed)
    return units
