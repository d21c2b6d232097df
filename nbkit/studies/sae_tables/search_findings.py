"""How near the search comes to the paper's row with the neuron-embedding loss, and what cannot be had together."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from nbkit.sae.config import SaeConfig
from nbkit.studies.sae_tables.columns import quantity_name, short_title, short_titles
from nbkit.studies.sae_tables.findings import agreeing, row_factor
from nbkit.studies.sae_tables.reproduction import Reproduction, factors, joint_factors, misses
from nbkit.studies.shared.change import Change
from nbkit.studies.shared.estimate import Spread
from nbkit.studies.shared.paper import PAPER_COLUMNS, STANDARD, WITH_LOSS, paper_row
from nbkit.studies.shared.quantity import Quantity

REACHED = 1.1
"""The factor by which a figure may miss the paper's and still count as reached."""


@dataclass(frozen=True)
class WithLossRow:
    """How near the search came to the paper's NE row."""

    n_settings: int
    config: SaeConfig
    """The nearest setting."""
    n_seeds: int
    factor: Quantity[float]
    """The geometric mean of the factors by which its figures miss the paper's."""
    dead: Quantity[Spread]
    """Dead latents, in percent."""
    worst: str
    """The title of the figure that misses the paper's most."""
    worst_factor: float
    n_figures: int
    near: tuple[str, ...]
    """The titles of those within the paper's rounding or one standard deviation."""
    n_alike: int
    """Figures that move as in the paper, from the standard row to this one."""


def with_loss_row(found: Reproduction) -> WithLossRow:
    """How near the search came to the paper's NE row, and whether the loss moves each figure as in the paper."""
    mine, standard, paper, before = found.row(WITH_LOSS), found.row(STANDARD), paper_row(WITH_LOSS), paper_row(STANDARD)
    nearest = misses(mine)
    missed = {c: float(factors(nearest)[c].iloc[0]) for c in PAPER_COLUMNS}
    worst = max(PAPER_COLUMNS, key=lambda column: missed[column])
    alike = [c for c in PAPER_COLUMNS if (mine[c].mean() - standard[c].mean()) * (paper[c] - before[c]) > 0]
    return WithLossRow(
        n_settings=found.tried["name"].nunique(),
        config=found.configs[found.nearest],
        n_seeds=mine["seed"].nunique(),
        factor=row_factor(found, WITH_LOSS),
        dead=Quantity(quantity_name(WITH_LOSS, "dead"), Spread.of(mine["dead"])),
        worst=short_title(worst),
        worst_factor=missed[worst],
        n_figures=len(PAPER_COLUMNS),
        near=short_titles(agreeing(mine, paper)),
        n_alike=len(alike),
    )


@dataclass(frozen=True)
class StatedSetting:
    """How near the search comes with the start, the momentum and the sum that the paper states."""

    config: SaeConfig
    """The nearest of these settings; the defaults, which have what the paper states, if none was tried."""
    tried: bool
    factor: float
    """The geometric mean of the factors by which its figures miss the paper's; NaN if none was tried."""
    l0: Spread
    paper_l0: float


def stated_setting(found: Reproduction) -> StatedSetting:
    """How near the paper's NE row the search comes with all that the paper states."""
    paper_l0 = paper_row(WITH_LOSS)["l0"]
    if found.stated is None:
        return StatedSetting(SaeConfig(), False, float("nan"), Spread(float("nan"), float("nan")), paper_l0)
    mine = found.rows[found.rows["name"] == found.stated]
    factor = float(misses(mine)["factor"].iloc[0])
    return StatedSetting(found.configs[found.stated], True, factor, Spread.of(mine["l0"]), paper_l0)


@dataclass(frozen=True)
class MissedFigure:
    """A figure that no setting reaches."""

    title: str
    factor: float
    """The smallest by which a setting misses it."""


@dataclass(frozen=True)
class MissedPair:
    """Two figures that settings reach alone, but none both."""

    first: str
    second: str
    factor: float
    """The smallest by which a setting misses the worse of the two."""


@dataclass(frozen=True)
class FiguresTogether:
    """Which of the paper's figures a setting reaches: alone, and two of them together."""

    n_seeds: int
    n_figures: int
    reached: float
    """The factor by which a figure may miss the paper's and still count as reached."""
    most: int
    """Figures that one setting reaches, at most."""
    alone: tuple[str, ...]
    """The titles of those that some setting reaches."""
    missed: tuple[MissedFigure, ...]
    apart: tuple[MissedPair, ...]

    @property
    def every_pair(self) -> bool:
        """Whether each two of the figures that are reached alone are reached together."""
        return len(self.alone) > 1 and not self.apart


def figures_reached_together(found: Reproduction) -> FiguresTogether:
    """Which of the paper's figures a setting reaches alone, and which two no setting reaches together."""
    means = misses(found.tried)
    best = joint_factors(means)
    alone = [c for c in PAPER_COLUMNS if best[c][c] <= REACHED]
    pairs = [(a, b) for place, a in enumerate(alone) for b in alone[place + 1 :]]
    return FiguresTogether(
        n_seeds=found.tried["seed"].nunique(),
        n_figures=len(PAPER_COLUMNS),
        reached=REACHED,
        most=int((factors(means) <= REACHED).sum(axis=1).max()),
        alone=short_titles(alone),
        missed=tuple(MissedFigure(short_title(c), best[c][c]) for c in PAPER_COLUMNS if c not in alone),
        apart=tuple(MissedPair(short_title(a), short_title(b), best[a][b]) for a, b in pairs if best[a][b] > REACHED),
    )


@dataclass(frozen=True)
class CourseAfterStart:
    """How an autoencoder moves from the measurement at the start of its loss on."""

    ne: float
    start: int
    l0: Change
    """In percent, at the start and at the end."""
    highest_l0: float
    highest_step: int
    """The step of the highest L0."""
    mean_distance: Change


def courses_after_start(found: Reproduction, courses: pd.DataFrame) -> list[CourseAfterStart]:
    """How L0 and the mean distance move once the loss is on, for each setting.

    Args:
        found: what was tried.
        courses: of `nbkit.studies.sae_tables.course.loss_course`, of settings that were tried.
    """
    moved = []
    for name, rows in courses.groupby("name", sort=False):
        config = found.configs[str(name)]
        after = rows[rows["step"] >= config.ne_start].to_dict("list")
        l0, distance = after["l0"], after["mean_distance"]
        ends, distances = Change(l0[0], l0[-1]), Change(distance[0], distance[-1])
        highest = l0.index(max(l0))
        moved.append(CourseAfterStart(config.ne, config.ne_start, ends, l0[highest], after["step"][highest], distances))
    return moved
