"""How many examples each behavior of a unit gives: evenly, or falling to a given ratio."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from nbkit.method.truth.dominant import FEWEST_OF_A_BEHAVIOR


def falling_shares(n_examples: int, terms: int, balance: float) -> Int[np.ndarray, " terms"]:
    """How many examples each term gives, at least one: of the first `balance` times as many as of the last, those
    between fall by equal ratios."""
    ratios = np.geomspace(1.0, 1.0 / balance, terms)
    shares: Int[np.ndarray, " terms"] = np.maximum(1, np.rint(n_examples * ratios / ratios.sum()).astype(int))
    return shares


def drawn_by_share(
    labels: Int[np.ndarray, " k"],
    ambiguous: Bool[np.ndarray, " k"],
    behaviors: Sequence[int] | Int[np.ndarray, " terms"],
    n_examples: int,
    balance: float,
    rng: np.random.Generator,
) -> Int[np.ndarray, " drawn"]:
    """Numbers of the examples that are drawn, in order; the behavior with the most examples is the first.

    Args:
        labels, ambiguous: of the examples that there are.
        behaviors: those that are drawn from; ambiguous examples that are nearest to one of them as often as they occur.
        n_examples: that are not ambiguous, at most; fewer where a behavior has not as many. With a balance above 1 all
            are then fewer, so that the ratio stays what it is called.
        balance: see `falling_shares`.
        rng: draws.
    """
    clear = [np.flatnonzero((labels == behavior) & ~ambiguous) for behavior in behaviors]
    there = sorted(clear, key=len, reverse=True)
    shares = falling_shares(n_examples, len(there), balance)
    if balance > 1:
        shares = _that_are_there(shares, np.array(list(map(len, there))), balance)
    drawn = [rng.permutation(each)[:most] for each, most in zip(there, shares, strict=True)]
    n_clear, all_clear = sum(map(len, drawn)), sum(map(len, clear))
    vague = np.flatnonzero(ambiguous & np.isin(labels, np.asarray(behaviors)))
    drawn.append(rng.permutation(vague)[: round(len(vague) * n_clear / max(all_clear, 1))])
    return np.sort(np.concatenate(drawn))


def _that_are_there(
    shares: Int[np.ndarray, " terms"], counts: Int[np.ndarray, " terms"], balance: float
) -> Int[np.ndarray, " terms"]:
    """The largest shares of this balance that do not ask for more examples than there are; none if the last would have
    none."""
    n_examples = int(shares.sum())
    if not (shares > counts).any():
        return shares
    fitting = (falling_shares(n, len(counts), balance) for n in range(n_examples - 1, 0, -1))
    return next((each for each in fitting if not (each > counts).any()), np.zeros_like(shares))


def balanced_behaviors(
    labels: Int[np.ndarray, " k"],
    ambiguous: Bool[np.ndarray, " k"],
    n_examples: int,
    balance: float,
    most: int,
    fewest: int,
) -> Int[np.ndarray, " terms"]:
    """The most frequent behaviors, as many as have their shares of so many examples, with at least
    `FEWEST_OF_A_BEHAVIOR` of the rarest; none if there are no two.

    Args:
        labels, ambiguous: of the examples that there are.
        n_examples, balance: see `falling_shares`.
        most: behaviors.
        fewest: examples that they have together; shares that are rounded down may be fewer than `n_examples`.
    """
    names, counts = np.unique(labels[~ambiguous], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    for terms in range(min(most, len(names)), 1, -1):
        shares = falling_shares(n_examples, terms, balance)
        if (shares <= counts[order[:terms]]).all() and shares[-1] >= FEWEST_OF_A_BEHAVIOR and shares.sum() >= fewest:
            chosen: Int[np.ndarray, " terms"] = names[order[:terms]]
            return chosen
    return names[:0]
