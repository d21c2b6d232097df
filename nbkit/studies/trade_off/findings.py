"""What the sweep of the neuron-embedding loss says, as numbers and verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from nbkit.sae.loss import Gradient
from nbkit.sae.sweep_columns import ACTIVATION_TITLES, SWEEP_MEASURES, of_kind
from nbkit.studies.shared.estimate import Difference
from nbkit.studies.shared.quantity import Quantity
from nbkit.studies.shared.words import listed
from nbkit.studies.trade_off.matching import MATCHED_BY, Matched, MatchedDifference, matched_differences

Verdict = Literal["none", "yes", "no", "mostly yes", "mostly no", "mixed", "no evidence"]
ANSWERS: dict[Verdict, str] = {
    "none": "no more difference than chance would show",
    "yes": "more monosemantic on the measures that differ",
    "no": "less monosemantic on the measures that differ",
    "mostly yes": "more monosemantic on most measures that differ",
    "mostly no": "less monosemantic on most measures that differ",
    "mixed": "it depends on the measure",
    "no evidence": "no evidence for the loss, since its opposite comes out better as well",
}
"""Whether the loss makes latents more monosemantic, as the pages say it."""
FEWEST_OF_A_DIRECTION = 2
"""Comparisons of one direction that count: of a dozen without a difference, one seems better by chance in one case of
four, and two in one of thirty."""
MOSTLY = 2
"""How many times more comparisons speak for than against, or against than for, in a "mostly"."""


@dataclass(frozen=True)
class Count:
    """How comparisons on independent measures come out; as text, `better in 3 and worse in 1 of 8 comparisons`."""

    better: int
    worse: int
    n: int

    @classmethod
    def of(cls, matched: Matched) -> Count:
        """Of all activations."""
        verdicts = [measures[metric].verdict for measures in matched.values() for metric in of_kind("independent")]
        return cls(verdicts.count(1), verdicts.count(-1), len(verdicts))

    @property
    def undecided(self) -> int:
        """Comparisons without a measurable difference."""
        return self.n - self.better - self.worse

    @property
    def verdict(self) -> Verdict:
        """Whether the loss makes latents more monosemantic."""
        better, worse = (count if count >= FEWEST_OF_A_DIRECTION else 0 for count in (self.better, self.worse))
        if not better and not worse:
            return "none"
        if not better or not worse:
            return "yes" if better else "no"
        if better >= MOSTLY * worse:
            return "mostly yes"
        return "mostly no" if worse >= MOSTLY * better else "mixed"

    @property
    def favored(self) -> bool:
        """Whether more comparisons are better than worse, and more than chance would show."""
        return self.better > self.worse and self.better >= FEWEST_OF_A_DIRECTION

    def __str__(self) -> str:
        return f"better in {self.better} and worse in {self.worse} of {self.n} comparisons"


@dataclass(frozen=True)
class Answer:
    """Whether a gradient of the loss makes latents more monosemantic, beside the control: the opposite loss."""

    count: Quantity[Count]
    """Over all activations."""
    control: Quantity[Count]
    """Over the activations that all gradients have."""

    @property
    def verdict(self) -> Verdict:
        """The count's, unless the control speaks as well for what must be wrong."""
        if self.count.value.favored and self.control.value.favored:
            return "no evidence"
        return self.count.value.verdict

    @property
    def words(self) -> str:
        """The verdict in words."""
        return ANSWERS[self.verdict]


@dataclass(frozen=True)
class MatchedActivation:
    """The autoencoders of one activation with the loss, held against standard ones."""

    name: str
    measures: Mapping[str, MatchedDifference]

    @property
    def own(self) -> MatchedDifference:
        """What the loss optimizes."""
        return self.measures["mean_distance"]

    @property
    def better(self) -> str:
        """The independent measures that are better, by title."""
        return self._titled(1)

    @property
    def worse(self) -> str:
        """Those that are worse."""
        return self._titled(-1)

    @property
    def undecided(self) -> str:
        """Those without a measurable difference."""
        return self._titled(0)

    @property
    def largest_change(self) -> float:
        """The largest difference of an independent measure, in percent of its standard value."""
        mine = [self.measures[metric] for metric in of_kind("independent")]
        return max(100 * abs(m.difference.value / m.standard) for m in mine if m.standard)

    def _titled(self, verdict: int) -> str:
        found = [metric for metric in of_kind("independent") if self.measures[metric].verdict == verdict]
        return listed(SWEEP_MEASURES[metric].title for metric in found)


@dataclass(frozen=True)
class MatchedAnswer:
    """Whether the loss makes latents more monosemantic at equal L0, or at equal MSE."""

    count: Count
    activations: tuple[MatchedActivation, ...]
    n_within_error: int
    """Comparisons whose difference is smaller than the error by which a curve misses a standard autoencoder."""

    @property
    def inside(self) -> tuple[MatchedActivation, ...]:
        """The activations with a point inside the standard curves."""
        return tuple(mine for mine in self.activations if mine.own.difference.known)

    @property
    def outside(self) -> tuple[MatchedActivation, ...]:
        """Those without."""
        return tuple(mine for mine in self.activations if not mine.own.difference.known)


@dataclass(frozen=True)
class NeuronsRead:
    """How many hidden neurons the median latent of an activation reads."""

    name: str
    standard: float
    strongest: float
    """With the largest lambda 2."""
    relative_distance: Difference
    """At equal L0: what is left of the distance once that of random inputs is counted out."""


def compared(table: pd.DataFrame) -> dict[str, Matched]:
    """`matched_differences` of all measures, at equal L0 (`l0`) and at equal MSE (`mse`)."""
    return {by: matched_differences(table, by, list(SWEEP_MEASURES)) for by in MATCHED_BY}


def compared_gradients(
    table: pd.DataFrame, others: Mapping[Gradient, pd.DataFrame]
) -> dict[Gradient, dict[str, Matched]]:
    """`compared` of the sweep with the whole gradient and of those with others."""
    sweeps: dict[Gradient, pd.DataFrame] = {"whole": table, **others}
    return {gradient: compared(sweep) for gradient, sweep in sweeps.items()}


def matched_answer(matched: Matched) -> MatchedAnswer:
    """What one of the two comparisons says.

    Args:
        matched: of `compared`.
    """
    activations = tuple(MatchedActivation(ACTIVATION_TITLES[name], measures) for name, measures in matched.items())
    independent = [mine.measures[metric] for mine in activations for metric in of_kind("independent")]
    within = sum(m.curve_error > abs(m.difference.value) for m in independent)
    return MatchedAnswer(Count.of(matched), activations, within)


def answered(
    compared_by: Mapping[Gradient, dict[str, Matched]], by: Literal["l0", "mse"], gradient: Gradient = "whole"
) -> Answer:
    """Whether a gradient of the loss makes latents more monosemantic at an equal L0 or MSE.

    Args:
        compared_by: of `compared_gradients`.
        by: what is equal.
        gradient: of the loss.
    """

    def named(gradient: Gradient, count: Count) -> Quantity[Count]:
        return Quantity(f"comparisons at equal {MATCHED_BY[by]}, {gradient} gradient", count)

    control = counted_gradients(compared_by)["opposite"][by]
    return Answer(named(gradient, Count.of(compared_by[gradient][by])), named("opposite", control))


def counted_gradients(compared_by: Mapping[Gradient, dict[str, Matched]]) -> dict[Gradient, dict[str, Count]]:
    """How the comparisons with each gradient come out, over the activations that all gradients have.

    Args:
        compared_by: of `compared_gradients`.
    """
    return {
        gradient: {by: Count.of(matched) for by, matched in mine.items()}
        for gradient, mine in of_shared_activations(compared_by).items()
    }


def of_shared_activations(
    compared_by: Mapping[Gradient, dict[str, Matched]],
) -> dict[Gradient, dict[str, Matched]]:
    """`compared_gradients` without the activations that some gradient lacks."""
    shared = set.intersection(*(set(mine["l0"]) for mine in compared_by.values()))
    return {
        gradient: {by: {name: of for name, of in matched.items() if name in shared} for by, matched in mine.items()}
        for gradient, mine in compared_by.items()
    }


def neurons_read(table: pd.DataFrame, matched: Matched) -> tuple[NeuronsRead, ...]:
    """How many hidden neurons the latents of each activation read.

    Args:
        table: of `nbkit.studies.trade_off.experiment.sweep`.
        matched: its comparison at equal L0.
    """
    found = []
    for activation, measures in matched.items():
        rows = table[table["activation"] == activation]
        standard, strongest = (
            float(rows.loc[rows["ne"] == ne, "participation"].mean()) for ne in (0, rows["ne"].max())
        )
        relative = measures["relative_distance"].difference
        found.append(NeuronsRead(ACTIVATION_TITLES[activation], standard, strongest, relative))
    return tuple(found)
