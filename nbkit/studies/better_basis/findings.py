"""What the stages of a dictionary say, as numbers for the page's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from nbkit.method.truth.benchmark import WHOSE_WEIGHTS
from nbkit.studies.better_basis.stages import PRE_MLP, TRUE
from nbkit.studies.shared.estimate import Difference, Estimate
from nbkit.studies.shared.learned import FEATURES, JOINT
from nbkit.studies.shared.table import BookTable

RECOVERY_TITLES = {"auc": "pair AUC", "ari": "ARI at 0.5"}
UNIT = ["group", "unit"]


@dataclass(frozen=True)
class InBasis:
    """A space in the bases of alike dictionaries, one of each group of units: means over units; intervals draw whole
    groups."""

    unexplained: float
    """In percent, the mean over groups."""
    value: Estimate
    over_pre_mlp: Difference
    over_control: Difference
    """Over itself with another unit's weights."""

    @property
    def wins(self) -> bool:
        """Whether it is above the pre-MLP vector and its control, with whole intervals."""
        return self.over_pre_mlp.sign > 0 and self.over_control.sign > 0


@dataclass(frozen=True)
class AtStage(InBasis):
    """A space in the basis of a dictionary at one stage; intervals draw whole toys."""

    latents: int
    epochs: int


@dataclass(frozen=True)
class Turn:
    """Where a dictionary begins to be good enough for a space."""

    measure: str
    """What is compared, in words."""
    loses_at: float
    """Unexplained variance in percent at the last stage that does not win."""
    wins_at: float
    """And at the next one; from there on all stages win."""


@dataclass(frozen=True)
class Enough:
    """How good a dictionary is good enough for a space, by one measure."""

    turn: tuple[Turn, ...]
    """One, or none if the last stage does not win."""
    best: AtStage
    """The last stage, of the longest training."""


@dataclass(frozen=True)
class QualityFound:
    """What `quality` found."""

    toys: int
    several_toys: bool
    """Whether there are enough for an interval to be more than a range: three."""
    units: int
    pre_mlp: Estimate
    """Adjusted Rand index."""
    true: Estimate
    """That of the true features."""
    features: Enough
    """By the adjusted Rand index."""
    joint: Enough
    joint_auc: Enough
    """By pair AUC."""
    narrow: tuple[AtStage, ...]
    """The features of a narrower dictionary at its last stage, by the adjusted Rand index, if there is one."""


def found_in(table: pd.DataFrame) -> QualityFound:
    """From which quality of the dictionary on a space beats the pre-MLP vector and its own control.

    Args:
        table: of `quality`.
    """
    widths = sorted(set(table["latents"]) - {0})
    of = {
        (space, measure): turns(stages(table, space, measure, widths[-1]), measure)
        for space in (FEATURES, JOINT)
        for measure in RECOVERY_TITLES
    }
    return QualityFound(
        toys=(toys := table["group"].nunique()),
        several_toys=toys > 2,
        units=table["unit"].nunique(),
        pre_mlp=Estimate.over_groups(values_of(table, PRE_MLP, "ari")),
        true=Estimate.over_groups(values_of(table, TRUE, "ari")),
        features=of[FEATURES, "ari"],
        joint=of[JOINT, "ari"],
        joint_auc=of[JOINT, "auc"],
        narrow=tuple(stages(table, FEATURES, "ari", width)[-1] for width in widths[:-1]),
    )


def stages(table: pd.DataFrame, space: str, measure: str, latents: int) -> list[AtStage]:
    """A space in the bases of a dictionary at all its stages, the least trained first.

    Args:
        table: of `quality`.
        space: `FEATURES` or `JOINT`.
        measure: one of `RECOVERY_TITLES`.
        latents: the dictionary's width.
    """
    mine = table[(table["space"] == space) & (table["latents"] == latents)]
    base = values_of(table, PRE_MLP, measure)
    return [
        AtStage(*compared(part, base, measure), latents, int(str(epochs)))
        for epochs, part in mine.groupby("epochs", sort=True)
    ]


def compared(part: pd.DataFrame, base: pd.Series, measure: str) -> tuple[float, Estimate, Difference, Difference]:
    """The fields of `InBasis`.

    Args:
        part: rows of one space in the bases of alike dictionaries.
        base: what the pre-MLP vector of each unit has, by group and unit.
        measure: one of `RECOVERY_TITLES`.
    """
    own, control = (part[part["condition"] == each].set_index(UNIT)[measure] for each in WHOSE_WEIGHTS)
    left = 100 * float(part.groupby("group")["unexplained"].first().mean())
    over_pre_mlp, over_control = (Difference.over_groups(own - other) for other in (base, control))
    return left, Estimate.over_groups(own), over_pre_mlp, over_control


def turns(made: Sequence[AtStage], measure: str) -> Enough:
    """The turn of a space's stages from losing to winning.

    Args:
        made: of `stages`.
        measure: one of `RECOVERY_TITLES`.
    """
    losing = [place for place, stage in enumerate(made) if not stage.wins]
    last = losing[-1] if losing else -1
    turned = 0 <= last < len(made) - 1
    turn = (Turn(RECOVERY_TITLES[measure], made[last].unexplained, made[last + 1].unexplained),) if turned else ()
    return Enough(turn, made[-1])


def values_of(table: pd.DataFrame, space: str, measure: str) -> pd.Series:
    """A measure of a space that has one row a unit and condition, with the units' own weights, by group and unit."""
    mine = table[(table["space"] == space) & (table["condition"] == "own")]
    return mine.set_index(UNIT)[measure]


def stages_table(table: pd.DataFrame) -> BookTable:
    """All stages of all dictionaries: what each leaves unexplained, and the adjusted Rand index of the spaces in its
    basis, over the pre-MLP vector's and over that with another unit's weights.

    Args:
        table: of `quality`.
    """
    rows: dict[tuple[str, str], dict[str, object]] = {}
    for latents in sorted(set(table["latents"]) - {0}, reverse=True):
        of_features, of_joint = (stages(table, space, "ari", latents) for space in (FEATURES, JOINT))
        for one, both in zip(of_features, of_joint, strict=True):
            rows[f"{latents} latents", f"{one.epochs} passes"] = {
                "unexplained (%)": one.unexplained,
                FEATURES: one.value,
                "over pre-MLP": one.over_pre_mlp,
                "over another unit's": one.over_control,
                JOINT: both.value,
                "it over pre-MLP": both.over_pre_mlp,
            }
    frame = pd.DataFrame(list(rows.values()), index=pd.MultiIndex.from_tuples(list(rows)))
    return BookTable("stages", frame, digits={"unexplained (%)": 1}, as_half=True)
