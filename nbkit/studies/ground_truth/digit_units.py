"""Task "digits": sums of digit probes, whose behaviors are told from outside: the digit of the image."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from nbkit.errors import NbkitError
from nbkit.method.truth.dominant import of_behaviors
from nbkit.method.truth.unit import Background, LabeledUnit, Unit
from nbkit.mnist.images import CLASSES

DIGIT_SHARE = 0.5
"""An image is an example of a unit if its pre-activation is at least this share of the highest."""
RIDGE = 1e-3
"""What is added to each variance, as a share of the mean variance, where the probes are fitted."""


def digit_units(
    read: Float[np.ndarray, "n d"],
    digits: Int[np.ndarray, " n"],
    group: str,
    terms: tuple[int, ...] = (2, 3, 4),
    n_examples: int = 100,
    seed: int = 0,
) -> list[LabeledUnit]:
    """Sums of linear probes for digits, fitted on the first half of the images and shown examples of the second.

    A probe is the least-squares readout of one digit against all others. A unit adds up those of two to four digits.
    Its examples are images that make it fire, drawn evenly from its digits as far as there are so many. The label is
    the digit; an image of a digit that is none of the unit's is ambiguous.

    Args:
        read: (n, d) what a layer reads of images.
        digits: (n,) of each image.
        group: the layer and network, for intervals.
        terms: how many digits; the ten are dealt out at random, each to one unit at most of each number.
        n_examples: of a unit.
        seed: of the draws.

    Raises:
        NbkitError: the lengths differ, or there are too few images.
    """
    if read.ndim != 2 or digits.shape != (len(read),) or len(read) < 2 * CLASSES:
        raise NbkitError(f"Vectors of shape {read.shape} and digits of shape {digits.shape}: give (n, d) and (n,).")
    half = len(read) // 2
    probes = _probes(read[:half], digits[:half])
    center, tested, of_tested = read[:half].mean(axis=0), read[half:], digits[half:]
    background = Background(read[:half])
    rng = np.random.default_rng(seed)
    units = []
    for number in terms:
        sets = rng.permutation(CLASSES)[: CLASSES // number * number].reshape(-1, number)
        merged = probes[sets].sum(axis=1)
        for place, chosen in enumerate(sets):
            pushes = (tested - center) @ merged[place]
            fires = rng.permutation(np.flatnonzero(pushes >= DIGIT_SHARE * pushes.max()))
            rows = _evenly(fires, of_tested, chosen, n_examples)
            labels, foreign = of_tested[rows], ~np.isin(of_tested[rows], chosen)
            some = of_behaviors(labels, foreign) | foreign
            if len(np.unique(labels[some & ~foreign])) < 2:
                continue
            units.append(
                LabeledUnit(
                    unit=Unit(tested[rows], merged[place], background),
                    other_weights=merged[(place + 1) % len(sets)],
                    labels=labels,
                    ambiguous=foreign,
                    name=f"{group} of digits " + ", ".join(map(str, chosen)),
                    group=group,
                    task="digits",
                    difficulty={"terms": float(number), "n_examples": float(n_examples)},
                ).take(some)
            )
    return units


def _probes(read: Float[np.ndarray, "n d"], digits: Int[np.ndarray, " n"]) -> Float[np.ndarray, "10 d"]:
    """Least squares of each digit's indicator, ones and zeros, on the centered vectors."""
    x = (read - read.mean(axis=0)).astype(np.float64)
    covariance = x.T @ x / len(x)
    ridge = RIDGE * covariance.trace() / len(covariance) * np.eye(len(covariance))
    probes: Float[np.ndarray, "10 d"] = np.linalg.solve(covariance + ridge, x.T @ np.eye(CLASSES)[digits] / len(x)).T
    return probes


def _evenly(
    fires: Int[np.ndarray, " m"], digits: Int[np.ndarray, " n"], chosen: Int[np.ndarray, " k"], n_examples: int
) -> Int[np.ndarray, " r"]:
    """Of images in random order as many of each chosen digit, and of all others together the share that they have."""
    each = n_examples // len(chosen)
    own = np.concatenate([fires[digits[fires] == digit][:each] for digit in chosen])
    others = fires[~np.isin(digits[fires], chosen)]
    share = len(others) / len(fires)
    return np.sort(np.concatenate([own, others[: round(share * n_examples)]]))
