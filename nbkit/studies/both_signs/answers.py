"""Whether neurons answer to other things below zero than above: how far the key words of both sides overlap.

Two halves of a neuron's positive side, drawn at random, say how far its words overlap with themselves at all; the
negative side of another neuron of the layer, how far by chance. All three are compared by as many examples, since few
words overlap less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int
from tqdm.auto import tqdm

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.features.agreement import overlap
from nbkit.studies.both_signs.sides import checked_pair
from nbkit.studies.shared.estimate import Difference, Estimate
from nbkit.studies.shared.populations import ENOUGH_EXAMPLES


@dataclass(frozen=True)
class Answers:
    """How far key words overlap, 0 to 1, as means over neurons with their 95% bootstrap intervals."""

    n_neurons: int
    at_least: int
    """Examples of a side, and of half of the positive one, that a neuron needs."""
    itself: Estimate
    """One half of the positive side with the other half."""
    other_side: Estimate
    """That half of the positive side with the negative side."""
    others: Estimate
    """That half of the positive side with the negative side of another neuron of its layer."""
    side_less_itself: Difference
    """The other side less the other half, neuron by neuron: below zero where a side has things of its own."""
    side_less_others: Difference
    """The other side less another neuron's, neuron by neuron: above zero where both sides have something in common."""


def answers(
    positive: Atlas,
    negative: Atlas,
    n_neurons: int = 2000,
    at_least: int = ENOUGH_EXAMPLES,
    seed: int = 0,
    progress: bool = True,
) -> Answers:
    """Compare the key words of both sides on a random sample of neurons.

    Args:
        positive, negative: atlases that differ in their sign alone.
        n_neurons: drawn from those with `at_least` negative examples and twice as many positive ones, in layers that
            have another neuron with as many negative ones.
        at_least: examples that are enough.
        seed: of the sample, the halves, the other neurons, and the intervals.

    Raises:
        NbkitError: the atlases differ in more than their sign, or no neuron has enough examples.
    """
    checked_pair(positive, negative)
    rng = np.random.default_rng(seed)
    above, below = positive.neurons, negative.neurons
    enough = below["n_examples"] >= at_least
    able = enough & (above["n_examples"] >= 2 * at_least) & (enough.groupby(below["layer"]).transform("sum") > 1)
    if not able.any():
        raise NbkitError(
            f"no neuron has {at_least} examples below zero and {2 * at_least} above: scan more text or ask for fewer"
        )
    numbers = np.flatnonzero(able)
    drawn = np.sort(rng.permutation(numbers)[:n_neurons])

    def words(atlas: Atlas, row: int) -> Int[np.ndarray, " n"]:
        place = int(below["layer"].iloc[row]), int(below["index"].iloc[row])
        return np.asarray(positive.words[atlas.neuron(*place).key_ids])

    rows = []
    for row in tqdm(drawn.tolist(), desc="both sides", unit="neuron", disable=not progress):
        peers = np.flatnonzero(enough & (below["layer"] == below["layer"].iloc[row]))
        other = int(rng.choice(peers[peers != row]))
        rows.append(overlaps(words(positive, row), words(negative, row), words(negative, other), rng))
    table = pd.DataFrame(rows, columns=["itself", "other_side", "others"])
    return Answers(
        n_neurons=len(table),
        at_least=at_least,
        itself=Estimate.over_units(table["itself"], seed),
        other_side=Estimate.over_units(table["other_side"], seed),
        others=Estimate.over_units(table["others"], seed),
        side_less_itself=Difference.over_units(table["other_side"] - table["itself"], seed),
        side_less_others=Difference.over_units(table["other_side"] - table["others"], seed),
    )


def overlaps(
    positive: Int[np.ndarray, " n"],
    negative: Int[np.ndarray, " m"],
    other: Int[np.ndarray, " k"],
    rng: np.random.Generator,
) -> tuple[float, float, float]:
    """How far the words of one half of the positive side overlap with those of the other half, of the negative side,
    and of another neuron: equally many of each, drawn at random."""
    n = min(len(positive) // 2, len(negative), len(other))
    mine = rng.permutation(positive)
    half, rest = mine[:n], mine[n : 2 * n]
    return overlap(half, rest), overlap(half, rng.permutation(negative)[:n]), overlap(half, rng.permutation(other)[:n])
