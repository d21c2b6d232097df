"""Whether the clusters of neurons whose examples lie on both sides of zero keep the sides apart.

An embedding is made of the weights, and those tell the sides apart by themselves: the sum of a gradient embedding has
the sign of the activation where the neuron is linear. So the same is measured of the bare vectors, cut into as many
clusters, and with the signs dealt out at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int
from tqdm.auto import tqdm

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.studies.shared.estimate import Difference, Estimate

DEALS = 20
"""Times that the signs of a neuron's examples are dealt out at random."""


@dataclass(frozen=True)
class Separation:
    """Shares of a neuron's examples that lie in clusters of one sign alone, as means over neurons with their 95%
    bootstrap intervals."""

    n_neurons: int
    at_least: int
    """Examples of each sign that a neuron needs."""
    own: Estimate
    """In clusters of the atlas's default embedding."""
    pre_mlp: Estimate
    """In as many clusters of the vectors by themselves."""
    chance: Estimate
    """In clusters of the default embedding, the signs dealt out at random."""
    own_less_pre_mlp: Difference
    own_less_chance: Difference


def separation(
    both: Atlas, n_neurons: int = 2000, at_least: int = 5, seed: int = 0, progress: bool = True
) -> Separation:
    """Measure it on a random sample of neurons.

    Args:
        both: an atlas of both signs.
        n_neurons: looked at, of those with twice `at_least` examples.
        at_least: examples of each sign that are enough; a neuron without them is left out.
        seed: of the sample, the deals and the intervals.

    Raises:
        NbkitError: the atlas is of one sign, or no neuron has enough examples of each.
    """
    if both.manifest.sign != "both":
        raise NbkitError(f"atlas {both.path} is of sign {both.manifest.sign!r}: give one of 'both'")
    rng = np.random.default_rng(seed)
    table = both.neurons
    drawn = np.sort(rng.permutation(np.flatnonzero(table["n_examples"] >= 2 * at_least))[:n_neurons])
    rows = []
    for row in tqdm(drawn.tolist(), desc="signs in clusters", unit="neuron", disable=not progress):
        neuron = both.neuron(int(table["layer"].iloc[row]), int(table["index"].iloc[row]))
        below = neuron.peak < 0
        if not at_least <= below.sum() <= len(below) - at_least:
            continue
        if not (neuron.has_direction() and neuron.has_direction("pre_mlp")):
            continue
        own = neuron.clusters()
        bare = neuron.clusters(kind="pre_mlp").cut_to(own.n_clusters)
        dealt = np.mean([of_one_sign(own.labels, rng.permutation(below)) for _ in range(DEALS)])
        rows.append((of_one_sign(own.labels, below), of_one_sign(bare.labels, below), dealt))
    if not rows:
        raise NbkitError(f"no neuron has {at_least} examples of each sign: scan more text or ask for fewer")
    found = pd.DataFrame(rows, columns=["own", "pre_mlp", "chance"])
    return Separation(
        n_neurons=len(found),
        at_least=at_least,
        own=Estimate.over_units(found["own"], seed),
        pre_mlp=Estimate.over_units(found["pre_mlp"], seed),
        chance=Estimate.over_units(found["chance"], seed),
        own_less_pre_mlp=Difference.over_units(found["own"] - found["pre_mlp"], seed),
        own_less_chance=Difference.over_units(found["own"] - found["chance"], seed),
    )


def of_one_sign(labels: Int[np.ndarray, " n"], below: Bool[np.ndarray, " n"]) -> float:
    """The share of examples whose cluster lies on one side of zero."""
    size, negative = np.bincount(labels), np.bincount(labels, below)
    return float(((negative == 0) | (negative == size))[labels].mean())
