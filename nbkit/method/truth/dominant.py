"""The behavior of an example, where what a unit's pre-activation is made of is known: its largest term."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

RIVAL_SHARE = 0.5
"""An example is ambiguous if its second largest contribution is more than this share of its largest."""
FEWEST_OF_A_BEHAVIOR = 3
"""A behavior with fewer examples that are not ambiguous is none."""


def dominant_terms(
    contributions: Float[np.ndarray, "n terms"],
) -> tuple[Int[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """The largest term of each example's pre-activation, and where the second largest is near.

    Args:
        contributions: (n, terms) summands of the pre-activation, at least two.

    Returns:
        The number of the largest term, and whether the example is ambiguous: the second largest is above `RIVAL_SHARE`
        times it, or no term is above zero.
    """
    labels = contributions.argmax(axis=1)
    second, first = np.partition(contributions, -2, axis=1)[:, -2:].T
    return labels, (second > RIVAL_SHARE * first) | (first <= 0)


def of_behaviors(labels: Int[np.ndarray, " n"], ambiguous: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Which examples belong to a behavior that has at least `FEWEST_OF_A_BEHAVIOR` examples that are not ambiguous."""
    names, counts = np.unique(labels[~ambiguous], return_counts=True)
    return np.isin(labels, names[counts >= FEWEST_OF_A_BEHAVIOR])
