"""Controls for distances: the weights of another unit, random inputs, the strongest inputs."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from nbkit.errors import NbkitError


def other_units(m: int, seed: int = 0) -> Int[np.ndarray, " m"]:
    """For each of m units another one, whose weights take the place of its own: drawn at random, each used once.

    Raises:
        NbkitError: there are not two.
    """
    if m < 2:
        raise NbkitError(f"There is no other unit among {m}: the control needs at least two.")
    circle = np.random.default_rng(seed).permutation(m)
    other = np.empty(m, dtype=np.int64)
    other[circle] = np.roll(circle, 1)  # the next in a circle of all is never oneself
    return other


def random_inputs(n_inputs: int, size: int = 100, seed: int = 0) -> Int[np.ndarray, " size"]:
    """Places of inputs drawn at random, in order; all of them if there are fewer."""
    drawn: Int[np.ndarray, " size"] = np.random.default_rng(seed).permutation(n_inputs)[:size]
    return np.sort(drawn)


def strongest_inputs(activations: Float[np.ndarray, " n_inputs"], size: int = 100) -> Int[np.ndarray, " size"]:
    """Places of the inputs that activate a unit most, in order; fewer if fewer activate it, the first of equals."""
    order = np.argsort(-activations, kind="stable")[:size]
    return np.sort(order[activations[order] > 0])
