"""How near this build's standard row comes to the paper's, and what its distances are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from nbkit.studies.sae_tables.columns import short_title, short_titles
from nbkit.studies.sae_tables.reproduction import BY_EXAMPLES, LEAST_EXAMPLES, Reproduction, misses
from nbkit.studies.shared.change import Change
from nbkit.studies.shared.estimate import Spread
from nbkit.studies.shared.paper import PAPER_COLUMNS, PAPER_ROUNDING, STANDARD, WITH_LOSS, paper_row
from nbkit.studies.shared.quantity import Quantity


def agreeing(mine: pd.DataFrame, paper: Mapping[str, float], columns: Sequence[str] = PAPER_COLUMNS) -> list[str]:
    """The columns whose mean lies within the paper's rounding or one standard deviation of the paper's figure."""
    return [c for c in columns if abs(mine[c].mean() - paper[c]) <= max(PAPER_ROUNDING[c], mine[c].std())]


@dataclass(frozen=True)
class Gap:
    """A figure that does not agree with the paper's."""

    title: str
    gap: float
    """Its mean over seeds minus the paper's figure."""
    deviation: float
    """Its standard deviation over seeds."""

    @property
    def side(self) -> Literal["above", "below"]:
        """Where the mean lies."""
        return "below" if self.gap < 0 else "above"

    @property
    def size(self) -> str:
        """In standard deviations; in the figure's own unit where all seeds agree."""
        if self.deviation > 0:
            return f"{abs(self.gap) / self.deviation:.1f} standard deviations"
        return f"{abs(self.gap):.3g}"


@dataclass(frozen=True)
class StandardRow:
    """Which figures of the standard row lie within the paper's rounding or one standard deviation of it."""

    n_seeds: int
    n_figures: int
    factor: Quantity[float]
    """The geometric mean of the factors by which its figures miss the paper's."""
    near: tuple[str, ...]
    """The titles of those that do."""
    far: tuple[Gap, ...]
    """Those that don't."""
    mlp_accuracy: Spread
    """Of the MLPs that the autoencoders read, in percent."""


def row_factor(found: Reproduction, row: str) -> Quantity[float]:
    """The geometric mean of the factors by which a row's figures miss the paper's."""
    return Quantity(f"factor, {row} row of Tables 2 and 3", float(misses(found.row(row), row)["factor"].iloc[0]))


def standard_row(found: Reproduction) -> StandardRow:
    """How the standard row agrees with the paper's."""
    mine, paper = found.row(STANDARD), paper_row(STANDARD)
    near = agreeing(mine, paper)
    return StandardRow(
        n_seeds=mine["seed"].nunique(),
        n_figures=len(PAPER_COLUMNS),
        factor=row_factor(found, STANDARD),
        near=short_titles(near),
        far=tuple(
            Gap(short_title(c), float(mine[c].mean()) - paper[c], float(mine[c].std()))
            for c in PAPER_COLUMNS
            if c not in near
        ),
        mlp_accuracy=Spread.of(mine["accuracy"] + mine["accuracy_loss"]),
    )


@dataclass(frozen=True)
class FreshSeeds:
    """How near both rows come with seeds that no choice was made by."""

    n_seeds: int
    first: int
    last: int
    n_near: int
    """Figures of the standard row within the paper's rounding or one standard deviation."""
    standard: Change
    """The factor by which the standard row misses the paper's figures, with the other seeds and with these."""
    with_loss: Change
    """The factor by which the row with the loss does."""


def fresh_seeds(found: Reproduction) -> FreshSeeds:
    """How near both rows come with the seeds that no choice was made by, beside the others."""
    fresh = found.fresh
    mine = {row: fresh[fresh["name"] == (row if row == STANDARD else found.nearest)] for row in (STANDARD, WITH_LOSS)}

    def factor(row: str) -> Change:
        return Change(*(float(misses(rows, row)["factor"].iloc[0]) for rows in (found.row(row), mine[row])))

    return FreshSeeds(
        n_seeds=fresh["seed"].nunique(),
        first=int(fresh["seed"].min()),
        last=int(fresh["seed"].max()),
        n_near=len(agreeing(mine[STANDARD], paper_row(STANDARD))),
        standard=factor(STANDARD),
        with_loss=factor(WITH_LOSS),
    )


@dataclass(frozen=True)
class LeastExamplesAgreement:
    """With how many examples at least the three medians of the standard row come nearest to the paper's."""

    least: int
    near: tuple[str, ...]
    """The titles of those that then lie within the paper's rounding or one standard deviation."""


def least_examples_agreement(found: Reproduction) -> LeastExamplesAgreement:
    """Which latents to count so that the medians come nearest to the paper's, and whether they agree then."""
    paper = paper_row(STANDARD)

    def miss(least: int) -> float:
        mine = found.standard_medians(least)
        return sum(abs(float(np.log(mine[c].mean() / paper[c]))) for c in BY_EXAMPLES)

    nearest = min(LEAST_EXAMPLES, key=miss)
    near = agreeing(found.standard_medians(nearest), paper, BY_EXAMPLES)
    return LeastExamplesAgreement(nearest, short_titles(near))


@dataclass(frozen=True)
class DistanceChanges:
    """Mean distances of the median latent from the standard row to that with the loss, and those of their controls."""

    own: Change
    """Of its examples, with its own weights."""
    other: Change
    """Of its examples, with another latent's weights."""
    random: Change
    """Of random images, with its own weights."""
    participation: Change
    """Not a distance: the hidden neurons that it reads."""


def distance_changes(found: Reproduction) -> DistanceChanges:
    """How the mean distance falls with the loss, and how those of the controls do."""
    standard, with_loss = (found.row(row).mean(numeric_only=True) for row in (STANDARD, WITH_LOSS))
    columns = ("mean_distance", "mean_other", "mean_random", "participation")
    return DistanceChanges(*(Change(float(standard[c]), float(with_loss[c])) for c in columns))
