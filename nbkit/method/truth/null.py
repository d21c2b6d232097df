"""Task "null": one behavior alone. Its halves at random must not be told apart, and it is one cluster."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nbkit.method.truth.unit import LabeledUnit

NULL_SIZES = (10, 30, 100, 300)
"""Numbers of examples."""


def null_units(labeled: LabeledUnit, sizes: Sequence[int] = NULL_SIZES, seed: int = 0) -> list[LabeledUnit]:
    """One behavior of a unit at a time, with random halves as labels.

    Args:
        labeled: a unit with known behaviors.
        sizes: numbers of examples, from 2; a behavior with fewer clear examples gives no null unit of that size.
        seed: of the draws, with the unit's name.

    Returns:
        For each behavior and size a unit of clear examples of that behavior alone, drawn at random.
    """
    rng = np.random.default_rng([seed, *labeled.name.encode()])
    units = []
    for behavior in np.unique(labeled.labels):
        able = np.flatnonzero((labeled.labels == behavior) & ~labeled.ambiguous)
        for size in sizes:
            if len(able) < size:
                continue
            one = labeled.take(np.sort(rng.permutation(able)[:size]))
            units.append(
                LabeledUnit(
                    unit=one.unit,
                    other_weights=one.other_weights,
                    labels=rng.permutation(np.arange(size) % 2),
                    ambiguous=one.ambiguous,
                    name=f"{labeled.name} behavior {behavior} of {size}",
                    group=labeled.group,
                    task="null",
                    difficulty={**labeled.difficulty, "n_examples": float(size)},
                    null=True,
                )
            )
    return units
