"""Task "merged": real units added up into one, so that the terms of its pre-activation are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_array, checked_number, checked_seed, checked_whole
from nbkit.method.truth.balance import falling_shares
from nbkit.method.truth.dominant import dominant_terms, of_behaviors
from nbkit.method.truth.terms import PlainTerms, Terms
from nbkit.method.truth.unit import Background, LabeledUnit, Text, Unit


def merged_units(
    weights: Float[np.ndarray, "m d"] | Terms,
    read: Sequence[Float[np.ndarray, "n_i d"]],
    group: str,
    terms: int = 3,
    n_examples: int = 100,
    balance: float = 1.0,
    seed: int = 0,
    task: str = "merged",
    background: Background | None = None,
    most: int | None = None,
    texts: Sequence[Text] | None = None,
) -> list[LabeledUnit]:
    """Merge real units of one layer: w = sum of alpha_i w_i, with the examples of all of them.

    alpha_i is one over the mean of h · w_i over the term's own examples, so that all terms push the merged unit alike.
    An example's behavior is the term alpha_i h · w_i that contributes most to the merged pre-activation, whichever term
    it is an example of; see `dominant_terms` for ambiguous ones. Every unit is a term of one merged unit at most, and
    the control's weights are those of another merged unit. Behaviors of fewer than three clear examples are left
    out, and so are merged units that are left with fewer than two.

    Gated units are merged by their activations in place of h · w_i, and the weights are the mean over the examples of
    their sum's gradient; see `GatedTerms`. The control has the mean gradient of another merged unit at these examples.

    Args:
        weights: (m, d) the weights with which each unit reads, in anything like an array, or `GatedTerms`.
        read: for each unit the vectors that it received in its own dataset examples, (n_i, d) each. A unit with no
            examples, or that they do not push by a positive mean, is no term.
        group: the layer and model, for intervals.
        terms: how many units are merged, from 2.
        n_examples: examples of a merged unit, before rare behaviors are left out.
        balance: examples of its first term over those of its last, from 1; those between fall by equal ratios.
        seed: of the draws.
        task: what the benchmark calls it.
        background: of the layer; None for the examples of all units.
        most: merged units, at random of those that there could be; None for all.
        texts: of each unit's examples, where they are of text; without windows.

    Raises:
        NbkitError: the shapes do not belong together, a vector is not finite, an option is out of range, or there are
            not enough units.
    """
    readers = weights if isinstance(weights, Terms) else PlainTerms(weights)
    vectors = [checked_array(each, "The read vectors") for each in read]
    m, d = readers.shape
    if len(vectors) != m:
        raise NbkitError(f"Weights of shape {(m, d)} and {len(vectors)} sets of read vectors: give one for each.")
    for number, each in enumerate(vectors):
        if each.ndim != 2 or each.shape[1] != d:
            raise NbkitError(f"Unit {number} read vectors of shape {each.shape}: give (n, {d}).")
        if not np.isfinite(each).all():
            raise NbkitError(f"Unit {number} read vectors with NaN or infinity: leave these examples out.")
    if texts is not None and [len(text.keys) for text in texts] != [len(each) for each in vectors]:
        raise NbkitError("The texts are not of the units' examples: give one text for each unit, of all its examples.")
    terms = checked_whole("terms", terms, 2)
    n_examples = checked_whole("n_examples", n_examples, terms)
    balance = checked_number("balance", balance, "choose at least 1", 1, np.inf)
    rng = np.random.default_rng(checked_seed(seed))
    pushes = np.array([float(readers.parts(h, np.array([i])).mean()) if len(h) else 0.0 for i, h in enumerate(vectors)])
    able = rng.permutation(np.flatnonzero(pushes > 0))
    sets = able[: len(able) // terms * terms].reshape(-1, terms)  # no unit twice
    if len(sets) < 2:
        raise NbkitError(f"{len(able)} units can be terms: merging {terms} at a time needs at least {2 * terms}.")
    background = background or Background(np.concatenate(vectors))
    sets = sets if most is None else sets[: checked_whole("most", most, 2)]
    wanted = falling_shares(n_examples, terms, balance)
    units = []
    for number, chosen in enumerate(sets):
        drawn = [np.sort(rng.permutation(len(vectors[i]))[:share]) for i, share in zip(chosen, wanted, strict=True)]
        h = np.concatenate([vectors[i][rows] for i, rows in zip(chosen, drawn, strict=True)])
        firsts = np.sort(np.unique(h, axis=0, return_index=True)[1])  # an example of two terms is one example
        h = h[firsts]
        text = None if texts is None else _joined([texts[i].take(rows) for i, rows in zip(chosen, drawn, strict=True)])
        labels, ambiguous = dominant_terms(readers.parts(h, chosen) / pushes[chosen])
        some = of_behaviors(labels, ambiguous)
        if len(np.unique(labels[some])) < 2:
            continue
        others = sets[(number + 1) % len(sets)]
        whole = LabeledUnit(
            unit=Unit(
                h,
                readers.weights(h, chosen, 1 / pushes[chosen]),
                background,
                text=None if text is None else text.take(firsts),
            ),
            other_weights=readers.weights(h, others, 1 / pushes[others]),
            labels=labels,
            ambiguous=ambiguous,
            name=f"{group} of " + ", ".join(map(str, chosen)),
            group=group,
            task=task,
            difficulty={"terms": float(terms), "n_examples": float(n_examples), "balance": balance},
        )
        units.append(whole.take(some))
    return units


def _joined(texts: Sequence[Text]) -> Text:
    return Text(np.concatenate([text.keys for text in texts]), tuple(each for text in texts for each in text.snippets))
