"""Which latents and hidden neurons of the MNIST models a page shows: chosen by a stated rule, never by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbkit.errors import NbkitError
from nbkit.method.choice import Ranking, Rules, rankings
from nbkit.mnist.view import LatentView

LEAST_RANKED = 10
"""Examples that a latent needs to be ranked by its mean distance: of two or three, distances say little."""


@dataclass(frozen=True, eq=False)
class LatentChoice:
    """A latent or hidden neuron and how it was chosen."""

    view: LatentView
    latent: int
    """Its number in the view."""
    rule: str
    """The rule as a sentence; it ends in how many units were eligible."""

    @property
    def name(self) -> str:
        """Such as `Latent 155 of the standard SAE`."""
        return f"{self.view.unit.capitalize()} {self.latent} of the {self.view.name}"

    @property
    def metrics(self) -> pd.Series:
        """Its row of the report."""
        row: pd.Series = self.view.metrics.iloc[self.latent]
        return row

    def _repr_markdown_(self) -> str:
        return f"**{self.name}** ({int(self.metrics['n_examples']):,} test images activate it). {self.rule}"


def clear_clusters(view: LatentView) -> LatentChoice:
    """The unit whose feature clusters are clearest.

    Raises:
        NbkitError: none has several clusters.
    """
    rules: Rules = {
        "at least 100 examples in several clusters": lambda t: (t["n_examples"] >= 100) & (t["n_clusters"] > 1),
        f"at least {LEAST_RANKED} examples in several clusters": lambda t: has_enough(t) & (t["n_clusters"] > 1),
    }
    return choose(view, None, rules, "the highest silhouette", view.metrics["silhouette"])


def typical(view: LatentView) -> LatentChoice:
    """The unit whose mean distance is the median: what to expect of one drawn blindly.

    Raises:
        NbkitError: none has enough examples.
    """
    return _at_rank(view, 0.5, "the median of their mean distances")


def same_rank(view: LatentView, like: LatentChoice) -> LatentChoice:
    """The unit of another model that stands where `like` stands in its own, both ranked by mean distance.

    Raises:
        NbkitError: `like` has no distances, or no unit of `view` has enough examples.
    """
    distance = like.metrics["mean_distance"]
    if np.isnan(distance):
        raise NbkitError(f"{like.name} has no two examples, so no rank: choose another.")
    others = like.view.metrics[has_enough(like.view.metrics)]["mean_distance"].drop(index=like.latent, errors="ignore")
    share = float((others < distance).mean()) if len(others) else 0.5
    return _at_rank(view, share, f"the mean distance at the same rank as {like.name}: {share:.0%} lie below")


def _at_rank(view: LatentView, share: float, aim: str) -> LatentChoice:
    ranking = _first_ranking(
        view, {f"at least {LEAST_RANKED} examples": has_enough}, aim, -view.metrics["mean_distance"]
    )
    if ranking is None:
        raise NbkitError(f"No {view.unit} of the {view.name} has {LEAST_RANKED} examples: give more test inputs.")
    return LatentChoice(view, int(ranking.units[round(share * (len(ranking.units) - 1))]), ranking.sentence)


def has_enough(table: pd.DataFrame) -> pd.Series[bool]:
    """Which units of a report have enough examples to be ranked."""
    return table["n_examples"] >= LEAST_RANKED


def choose(view: LatentView, asked: int | None, rules: Rules, aim: str, score: pd.Series[float]) -> LatentChoice:
    """The eligible unit with the highest score, by the first rule that finds any; or the one that is asked for.

    Args:
        view: the units.
        asked: a unit's number, or None to choose by rule.
        rules: who is eligible, in words and as a function of the report's table.
        aim: the score in words.
        score: of each unit; one without a score is not eligible.

    Raises:
        NbkitError: there is no such unit, or none meets a rule.
    """
    table = view.metrics
    if asked is not None:
        if not 0 <= asked < len(table):
            raise NbkitError(f"There is no {view.unit} {asked} of the {view.name}: choose 0 to {len(table) - 1}.")
        return LatentChoice(view, asked, f"Chosen by the parameter `{view.unit}`.")
    ranking = _first_ranking(view, rules, aim, score)
    if ranking is None:
        raise NbkitError(
            f"No {view.unit} of the {view.name} meets the rule to be shown here: give it more test inputs."
        )
    return LatentChoice(view, int(ranking.units[0]), ranking.sentence)


def _first_ranking(view: LatentView, rules: Rules, aim: str, score: pd.Series[float]) -> Ranking | None:
    units = f"{len(view.metrics)} {view.unit}s"
    return next(rankings(view.metrics, rules, lambda table: score[table.index], aim, units), None)
