"""Units planted in a real layer: sums of probes for concepts, whose examples are labeled from outside or by term."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_number, checked_seed, checked_whole
from nbkit.method.truth.balance import drawn_by_share
from nbkit.method.truth.dominant import dominant_terms, of_behaviors
from nbkit.method.truth.unit import LabeledUnit, Unit
from nbkit.studies.shared.planted.probes import Probes

MOST_OFTEN = 0.02
"""A planted unit fires on as many of the tokens that its probes were trained on as are of its concepts, at most on this
share of them."""
FEWEST_PLANTED = 10
"""A unit with fewer examples that are not ambiguous is left out."""
MIXED = "mixed"
"""The kind of units whose concepts are drawn from all kinds."""


class Planted(NamedTuple):
    """What a planted unit is made of."""

    kind: str
    terms: Int[np.ndarray, " terms"]
    """Numbers of its probes."""
    weights: Float[np.ndarray, " d"]


def concept_units(
    probes: Probes,
    terms: Sequence[int] = (2, 3, 4),
    n_examples: int = 100,
    balance: float = 1.0,
    most: int = 5,
    seed: int = 0,
) -> list[LabeledUnit]:
    """Units whose behaviors are concepts labeled from outside: w = sum of the concepts' probes.

    The examples are found as an atlas finds them, in the documents that the probes were not trained on: the token with
    the highest pre-activation of each context in which the unit fires. Its behavior is the concept that the token is
    of, whatever its probe says; a token of several of the unit's concepts, or of none, is ambiguous. Of each
    concept examples are drawn at random, and ambiguous ones as often as they occur. Behaviors of fewer than three clear
    examples are left out, and so are units with fewer than two behaviors or ten clear examples. The control's weights
    are those of a unit drawn at random among those with none of its concepts, or among all others if there is none.

    Args:
        probes: of a layer; the units of one kind are sums of its concepts' alone, and more are made of concepts of all
            kinds together, as kind `mixed`.
        terms: how many probes are added up; units are made for each number.
        n_examples: examples of a unit that are not ambiguous, at most.
        balance: examples of its most frequent concept over those of its rarest, from 1, as far as there are so many.
        most: units of one kind and number of terms at most; no concept is in two of them.
        seed: of the draws.

    Raises:
        NbkitError: an option is out of range, or there is one unit alone.
    """
    return _units(probes, "concept", terms, n_examples, balance, most, seed)


def merged_probes(
    probes: Probes,
    terms: Sequence[int] = (2, 3, 4),
    n_examples: int = 100,
    balance: float = 1.0,
    most: int = 5,
    seed: int = 0,
    task: str = "merged probes",
) -> list[LabeledUnit]:
    """The units of `concept_units` with the term that contributes most as an example's behavior, see `dominant_terms`:
    (h - mean) · w_i for the probes w_i, since the bias takes the mean token's share away.

    Args:
        probes, terms, n_examples, balance, most, seed: as there.
        task: what the benchmark calls it.

    Raises:
        NbkitError: as there.
    """
    return _units(probes, task, terms, n_examples, balance, most, seed)


def _units(
    probes: Probes,
    task: str,
    terms: Sequence[int],
    n_examples: int,
    balance: float,
    most: int,
    seed: int,
) -> list[LabeledUnit]:
    n_examples = checked_whole("n_examples", n_examples, FEWEST_PLANTED)
    balance = checked_number("balance", balance, "choose at least 1", 1, np.inf)
    rng = np.random.default_rng(checked_seed(seed))
    reads = probes.reads
    planted = list(_planted(probes, terms, checked_whole("most", most, 1), rng))
    if len(planted) < 2:
        raise NbkitError(f"{reads.group}: {len(planted)} units can be planted, and the control needs another one.")
    others = np.random.default_rng(seed)
    units = []
    for number, (kind, chosen, weights) in enumerate(planted):
        other = _other(planted, number, others)
        keys = _fired(probes, weights, probes.member[:, chosen])
        labels, ambiguous = dominant_terms((reads.read[keys] - probes.mean) @ probes.weights[chosen].T)
        if task == "concept":
            are = probes.member[keys][:, chosen]
            ambiguous = are.sum(axis=1) != 1
            labels = np.where(ambiguous, labels, are.argmax(axis=1))
        drawn = drawn_by_share(labels, ambiguous, range(len(chosen)), n_examples, balance, rng)
        keys, labels, ambiguous = keys[drawn], labels[drawn], ambiguous[drawn]
        some = of_behaviors(labels, ambiguous)
        if (some & ~ambiguous).sum() < FEWEST_PLANTED or len(np.unique(labels[some])) < 2:
            continue
        rows = keys[some]
        names = " + ".join(probes.names[i] for i in chosen)
        units.append(
            LabeledUnit(
                unit=Unit(reads.read[rows], weights, reads.background, text=reads.text(rows)),
                other_weights=planted[other].weights,
                labels=labels[some],
                ambiguous=ambiguous[some],
                name=f"{reads.group} {kind}, {probes.method}: {names}, {n_examples} examples, balance {balance:g}",
                group=reads.group,
                task=task,
                difficulty={
                    "kind": kind,
                    "probe": probes.method,
                    "terms": float(len(chosen)),
                    "n_examples": float(n_examples),
                    "balance": balance,
                },
            )
        )
    return units


def _planted(probes: Probes, terms: Sequence[int], most: int, rng: np.random.Generator) -> Iterator[Planted]:
    everything = range(len(probes.names))
    of_kind = {kind: [i for i in everything if probes.kinds[i] == kind] for kind in dict.fromkeys(probes.kinds)}
    for kind, numbers in (of_kind | {MIXED: list(everything)}).items():
        for count in terms:
            checked_whole("terms", count, 2)
            able = rng.permutation(numbers)
            for chosen in able[: len(able) // count * count].reshape(-1, count)[:most]:
                yield Planted(kind, chosen, probes.weights[chosen].sum(axis=0))


def _other(planted: Sequence[Planted], number: int, rng: np.random.Generator) -> int:
    """Another unit that has no term of this one, or any other if there is none: its own probes are no control."""
    own = planted[number].terms
    others = [i for i in range(len(planted)) if i != number]
    apart = [i for i in others if not np.isin(planted[i].terms, own).any()]
    return int(rng.choice(apart or others))


def _fired(
    probes: Probes, weights: Float[np.ndarray, " d"], member: Bool[np.ndarray, "n terms"]
) -> Int[np.ndarray, " k"]:
    """Key tokens of the contexts in which a unit fires, in the documents that no probe has seen."""
    held, context = probes.held_out, probes.reads.context
    pre = probes.reads.read @ weights
    rate = min(MOST_OFTEN, float(member[~held].any(axis=1).mean()))
    rows = np.flatnonzero(held & (pre > np.quantile(pre[~held], 1 - rate)))
    rows = rows[np.argsort(-pre[rows], kind="stable")]
    _, first = np.unique(context[rows], return_index=True)  # of each context the strongest, the first of equals
    keys: Int[np.ndarray, " k"] = rows[first]
    return keys
