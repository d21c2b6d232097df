"""Controls for distances: the weights of another unit, random inputs, the strongest inputs."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from nbkit.errors import NbkitError


def other_units(m: int, seed: int = 0, able: Bool[np.ndarray, " m"] | None = None) -> Int[np.ndarray, " m"]:
    """For each of m units another one, whose weights take the place of its own: drawn at random.

    Args:
        m: how many units there are.
        seed: of the draw.
        able: the units whose weights can take another's place; None for all. Each of them is used once for another of
            them, and the rest, whose weights are zeros, get one of them as well.

    Returns:
        (m,) numbers of units; -1 for a unit if no other is able.

    Raises:
        NbkitError: there are not two.
    """
    if m < 2:
        raise NbkitError(f"There is no other unit among {m}: the control needs at least two.")
    circle = np.random.default_rng(seed).permutation(m)
    lends = np.ones(m, dtype=bool) if able is None else able[circle]
    other = np.full(m, -1)
    if lends.any():
        # the last that lends before one in the circle is oneself only if no other does
        other[circle] = circle[lends][lends.cumsum() - lends - 1]
    other[other == np.arange(m)] = -1
    return other


def random_inputs(n_inputs: int, size: int = 100, seed: int = 0) -> Int[np.ndarray, " size"]:
    """Places of inputs drawn at random, in order; all of them if there are fewer."""
    drawn: Int[np.ndarray, " size"] = np.random.default_rng(seed).permutation(n_inputs)[:size]
    return np.sort(drawn)


def strongest_inputs(activations: Float[np.ndarray, " n_inputs"], size: int = 100) -> Int[np.ndarray, " size"]:
    """Places of the inputs that activate a unit most, in order; fewer if fewer activate it, the first of equals."""
    order = np.argsort(-activations, kind="stable")[:size]
    return np.sort(order[activations[order] > 0])
