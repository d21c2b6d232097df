"""The four ways in which a gated neuron becomes active.

Its activation is act(g) * u, where g = h · w_gate + b_gate and u = h · w_in + b_in, the `up` branch. SiLU and GELU are
below zero where g is. So an activation above zero has g and u on the same side of zero, and one below zero on different
sides: four kinds of examples, each with a reading of its own.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Shaped

QUADRANTS = ("gate+ up+", "gate+ up-", "gate- up+", "gate- up-")


def quadrants(gate: Float[np.ndarray, " n"], up: Float[np.ndarray, " n"]) -> Shaped[np.ndarray, " n"]:
    """The one of `QUADRANTS` in which each pair of pre-activations lies; zero counts as below."""
    return np.asarray(np.array(QUADRANTS)[2 * (gate <= 0) + (up <= 0)])
