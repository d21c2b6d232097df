"""How strong the negative side of neurons is beside the positive one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError


@dataclass(frozen=True)
class Sides:
    """How the largest strengths on both sides of zero compare, over the neurons that were active on one of them."""

    n_neurons: int
    as_strong: float
    """Share whose negative side is at least as strong as the positive one."""
    half_as_strong: float
    """Share whose negative side is at least half as strong."""
    median_ratio: float
    """Median of the negative side's largest strength as a multiple of the positive one's."""


def sides(positive: Atlas, negative: Atlas) -> Sides:
    """Compare the largest strengths of all neurons.

    Args:
        positive, negative: atlases that differ in their sign alone.

    Raises:
        NbkitError: they differ in more, their maxima were given, or no neuron was active.
    """
    checked_pair(positive, negative)
    if positive.manifest.maxima_sha256 is not None:
        raise NbkitError(f"atlas {positive.path} has maxima that were given: compare atlases that measured them")
    above, below = (atlas.neurons["max_activation"].clip(lower=0).to_numpy() for atlas in (positive, negative))
    active = np.maximum(above, below) > 0  # NaN is not
    if not active.any():
        raise NbkitError("no neuron was active: scan more text")
    above, below = above[active], below[active]
    with np.errstate(divide="ignore"):
        ratio = below / above  # infinite of a neuron that was never above zero
    return Sides(
        n_neurons=int(active.sum()),
        as_strong=float((ratio >= 1).mean()),
        half_as_strong=float((ratio >= 0.5).mean()),
        median_ratio=float(np.median(ratio)),
    )


def checked_pair(positive: Atlas, negative: Atlas) -> None:
    """Raises NbkitError unless the atlases are of both sides of the same neurons on the same text."""
    for atlas, sign in ((positive, "positive"), (negative, "negative")):
        if atlas.manifest.sign != sign:
            raise NbkitError(f"atlas {atlas.path} is of sign {atlas.manifest.sign!r}: give one of {sign!r} here")
    if others := set(positive.manifest.differences(negative.manifest)) - {"sign"}:
        raise NbkitError(
            f"atlases {positive.path} and {negative.path} are of another {', '.join(sorted(others))}: build both from "
            "the same"
        )
