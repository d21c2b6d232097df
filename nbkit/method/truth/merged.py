"""Task "merged": real units added up into one, so that the terms of its pre-activation are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_array, checked_number, checked_seed, checked_whole
from nbkit.method.truth.dominant import dominant_terms, of_behaviors
from nbkit.method.truth.unit import Background, LabeledUnit, Unit


def merged_units(
    weights: Float[np.ndarray, "m d"],
    read: Sequence[Float[np.ndarray, "n_i d"]],
    group: str,
    terms: int = 3,
    n_examples: int = 100,
    balance: float = 1.0,
    seed: int = 0,
) -> list[LabeledUnit]:
    """Merge real units of one layer: w = sum of alpha_i w_i, with the examples of all of them.

    alpha_i is one over the mean of h · w_i over the term's own examples, so that all terms push the merged unit alike.
    An example's behavior is the term alpha_i h · w_i that contributes most to the merged pre-activation, whichever term
    it is an example of; see `dominant_terms` for ambiguous ones. Every unit is a term of one merged unit at most, and
    the control's weights are those of another merged unit. Behaviors of fewer than three clear examples are left
    out, and so are merged units that are left with fewer than two. The background is the examples of all units.

    Args:
        weights: (m, d) the weights with which each unit reads.
        read: for each unit the vectors that it received in its own dataset examples, (n_i, d) each. A unit with no
            examples, or whose weights do not meet them at a positive mean, is no term.
        group: the layer and model, for intervals.
        terms: how many units are merged, from 2.
        n_examples: examples of a merged unit, before rare behaviors are left out.
        balance: examples of its first term over those of its last, from 1; those between fall by equal ratios.
        seed: of the draws.

    Raises:
        NbkitError: the shapes do not belong together, an option is out of range, or there are not enough units.
    """
    weights = checked_array(weights, "The weights")
    vectors = [checked_array(each, "The read vectors") for each in read]
    if weights.ndim != 2 or len(vectors) != len(weights):
        raise NbkitError(
            f"Weights of shape {weights.shape} and {len(vectors)} sets of read vectors: give one for each."
        )
    for number, each in enumerate(vectors):
        if each.ndim != 2 or each.shape[1] != weights.shape[1]:
            raise NbkitError(f"Unit {number} read vectors of shape {each.shape}: give (n, {weights.shape[1]}).")
    terms = checked_whole("terms", terms, 2)
    n_examples = checked_whole("n_examples", n_examples, terms)
    balance = checked_number("balance", balance, "choose at least 1", 1, np.inf)
    rng = np.random.default_rng(checked_seed(seed))
    pushes = np.array([float((h @ w).mean()) if len(h) else 0.0 for h, w in zip(vectors, weights, strict=True)])
    able = rng.permutation(np.flatnonzero(pushes > 0))
    sets = able[: len(able) // terms * terms].reshape(-1, terms)  # no unit twice
    if len(sets) < 2:
        raise NbkitError(f"{len(able)} units can be terms: merging {terms} at a time needs at least {2 * terms}.")
    scaled = weights / np.where(pushes > 0, pushes, 1.0)[:, None]  # alpha_i w_i
    merged = scaled[sets].sum(axis=1)
    background = Background(np.concatenate(vectors))
    wanted = falling_shares(n_examples, terms, balance)
    units = []
    for number, chosen in enumerate(sets):
        drawn = [
            vectors[i][np.sort(rng.permutation(len(vectors[i]))[:most])] for i, most in zip(chosen, wanted, strict=True)
        ]
        h = np.concatenate(drawn)
        h = h[np.sort(np.unique(h, axis=0, return_index=True)[1])]  # an example of two terms is one example
        labels, ambiguous = dominant_terms(h @ scaled[chosen].T)
        some = of_behaviors(labels, ambiguous)
        if len(np.unique(labels[some])) < 2:
            continue
        whole = LabeledUnit(
            unit=Unit(h, merged[number], background),
            other_weights=merged[(number + 1) % len(sets)],
            labels=labels,
            ambiguous=ambiguous,
            name=f"{group} of " + ", ".join(map(str, chosen)),
            group=group,
            task="merged",
            difficulty={"terms": float(terms), "n_examples": float(n_examples), "balance": balance},
        )
        units.append(whole.take(some))
    return units


def falling_shares(n_examples: int, terms: int, balance: float) -> Int[np.ndarray, " terms"]:
    """How many examples each term gives, at least one: of the first `balance` times as many as of the last, those
    between fall by equal ratios."""
    ratios = np.geomspace(1.0, 1.0 / balance, terms)
    shares: Int[np.ndarray, " terms"] = np.maximum(1, np.rint(n_examples * ratios / ratios.sum()).astype(int))
    return shares
