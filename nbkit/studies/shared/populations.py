"""Which neurons count."""

from __future__ import annotations

import numpy as np

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError

ENOUGH_EXAMPLES = 20
"""Examples that a neuron needs to count in statements about how behaviors are distributed."""


def has_examples(atlas: Atlas, at_least: int) -> np.ndarray:
    """(n_neurons,) which neurons have at least so many examples, and a direction if these are two or more.

    Raises:
        NbkitError: if none has.
    """
    table = atlas.neurons
    undirected = (table["n_examples"] >= 2) & table["mean_distance"].isna()
    enough: np.ndarray = ((table["n_examples"] >= at_least) & ~undirected).to_numpy()
    if not enough.any():
        most = int(table["n_examples"].where(~undirected, 0).max())
        raise NbkitError(f"no neuron has {at_least} examples (the most is {most}): scan more text or ask for fewer")
    return enough
