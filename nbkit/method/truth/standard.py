"""The standard units of the benchmark: always the same toys and null units, a few minutes' work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nbkit.method.truth.null import NULL_SIZES, null_units
from nbkit.method.truth.toys import INPUTS, Toy, each_unit, toy_units
from nbkit.method.truth.unit import LabeledUnit

FIRST_SEED = 2
"""Spaces of this project were chosen on toys of seeds 0 and 1."""
PLAIN = tuple(Toy(seed=seed) for seed in range(FIRST_SEED, FIRST_SEED + 6))
HARDER_AND_EASIER = tuple(
    replace(toy, seed=seed)
    for toy in (
        Toy(active=1.5),
        Toy(active=6),
        Toy(width=20),
        Toy(width=64),
        Toy(overlap=0.5),
        Toy(n_examples=30),
        Toy(n_examples=300),
        Toy(noise=0.5),
        Toy(noise=1.0),
        Toy(n_examples=10, balance=1.0),
        Toy(n_examples=300, balance=1.0),
        Toy(n_examples=300, balance=10.0),
        Toy(n_examples=300, balance=50.0),
    )
    for seed in range(FIRST_SEED, FIRST_SEED + 3)
)
"""One thing at a time is changed of the plain toy, but that a balance comes with a number of examples: of ten as they
come no two behaviors have three, and at 50 to 1 the rarest has three of 300."""
UNITS_OF_A_TOY = 20
"""Units of one toy; null units of one toy and size."""


def standard_units() -> Iterator[LabeledUnit]:
    """Toys at several difficulties, the plain ones first, then null units of plain toys; see `toy_units`, `null_units`.

    The units are a part of the benchmark's version. One after the other, so that only those of one toy are in memory.
    """
    for toy in PLAIN + HARDER_AND_EASIER:
        yield from toy_units(toy)[:UNITS_OF_A_TOY]
    for toy in PLAIN[: len(PLAIN) // 2]:
        yield from nulls_of(toy, UNITS_OF_A_TOY)


def nulls_of(toy: Toy, most: int) -> Iterator[LabeledUnit]:
    """At most so many null units of each size, spread over a toy's units, which have all examples that there are."""
    nulls = [null for labeled in each_unit(replace(toy, n_examples=INPUTS)) for null in null_units(labeled)]
    for size in NULL_SIZES:
        able = [null for null in nulls if len(null.labels) == size]
        yield from able[:: max(1, len(able) // most)][:most]
