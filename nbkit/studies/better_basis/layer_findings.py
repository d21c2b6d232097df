"""What dictionaries of a language model's layers say, as numbers for the page's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import pandas as pd

from nbkit.studies.better_basis.findings import UNIT, InBasis, compared, values_of
from nbkit.studies.better_basis.layer_dictionaries import VECTORS, Training
from nbkit.studies.shared.change import Change
from nbkit.studies.shared.estimate import Difference, Estimate
from nbkit.studies.shared.learned import FEATURES, JOINT
from nbkit.studies.shared.planted.layers import PLANTED_TASKS
from nbkit.studies.shared.table import BookTable, Range

THINGS = {"passes": "passes", "width": "latents a coordinate", "k": "active latents", "share": "of the vectors"}
"""What a dictionary is given, a field of `Training`, in words behind a number."""
TRAINING_COLUMNS = [field.name for field in fields(Training)]
USUAL = Training()


@dataclass(frozen=True)
class InLayers(InBasis):
    """A space in the bases of dictionaries that were trained alike, one of each layer; intervals draw whole layers."""

    over_centered: Difference
    """Over the vector minus the layer's mean."""
    training: Training

    @property
    def wins(self) -> bool:
        """Whether it is above both vectors and its control, with whole intervals."""
        return super().wins and self.over_centered.sign > 0


@dataclass(frozen=True)
class TaskInBases:
    """A space on one task, in the bases of all dictionaries, by pair AUC."""

    task: str
    space: str
    units: int
    dictionaries: int
    winning: int
    """Dictionaries in whose basis it is above both vectors and its control."""
    poorest: float
    """What the poorest of these leaves unexplained, in percent; NaN without any."""
    losing_below: int
    """Dictionaries that leave less than that one, and in whose basis it does not win."""
    above_pre_mlp: int
    """Dictionaries in whose basis it is above that vector."""
    above_centered: int
    weights_tell: int
    """Dictionaries in whose basis it is above its control."""
    best: InLayers
    """The one of the highest mean."""


@dataclass(frozen=True)
class MoreOf:
    """Dictionaries that were given most of one thing against those that were given least of it, if not none."""

    thing: str
    least: float
    most: float
    unexplained: Change
    """In percent."""
    features: Difference
    """Pair AUC of the features on the same units, of all tasks."""
    joint: Difference
    """That of the centered vector beside the features."""


@dataclass(frozen=True)
class LayersFound:
    """What `layer_quality` found."""

    layers: tuple[str, ...]
    several_layers: bool
    """Whether there are enough for an interval to be more than a range: three."""
    units: int
    dictionaries: int
    usual: Training
    unexplained: Range
    """In percent, of the best dictionary and of the poorest."""
    on: tuple[TaskInBases, ...]
    """Both spaces on all tasks."""
    more: tuple[MoreOf, ...]
    """Of each thing in which several dictionaries differ."""

    @property
    def winning(self) -> tuple[TaskInBases, ...]:
        """Where some dictionary is good enough."""
        return tuple(each for each in self.on if each.winning)


def found_in_layers(table: pd.DataFrame) -> LayersFound:
    """With which dictionaries a space beats both vectors and its own control, and what makes a dictionary better.

    Args:
        table: of `layer_quality`.
    """
    made = in_layers(table, FEATURES, "auc")
    left = [each.unexplained for each in made]
    layers = tuple(dict.fromkeys(table["group"]))
    tasks = [task for task in PLANTED_TASKS if (table["task"] == task).any()]
    more = (_more(table, made, thing) for thing in THINGS)
    return LayersFound(
        layers=layers,
        several_layers=len(layers) > 2,
        units=len(table.drop_duplicates(UNIT)),
        dictionaries=len(made),
        usual=USUAL,
        unexplained=Range(min(left), max(left)),
        on=tuple(_on_task(table, task, space) for task in tasks for space in (FEATURES, JOINT)),
        more=tuple(each for each in more if each is not None),
    )


def in_layers(table: pd.DataFrame, space: str, measure: str) -> list[InLayers]:
    """A space in the bases of all dictionaries, the poorest first: the one that leaves most unexplained.

    Args:
        table: of `layer_quality`, or of one of its tasks.
        space: `FEATURES` or `JOINT`.
        measure: one of `RECOVERY_TITLES`.
    """
    pre_mlp, centered = (values_of(table, each, measure) for each in VECTORS)
    made = []
    for given, part in table[table["space"] == space].groupby(TRAINING_COLUMNS, sort=False):
        over_centered = Difference.over_groups(values_of(part, space, measure) - centered)
        made.append(InLayers(*compared(part, pre_mlp, measure), over_centered, _training(given)))
    return sorted(made, key=lambda each: -each.unexplained)


def _training(given: Any) -> Training:
    passes, width, k, share = given
    return Training(int(passes), float(width), int(k), float(share))


def _on_task(table: pd.DataFrame, task: str, space: str) -> TaskInBases:
    mine = table[table["task"] == task]
    made = in_layers(mine, space, "auc")
    places = [place for place, each in enumerate(made) if each.wins]
    return TaskInBases(
        task=PLANTED_TASKS[task],
        space=space,
        units=len(mine.drop_duplicates(UNIT)),
        dictionaries=len(made),
        winning=len(places),
        poorest=made[places[0]].unexplained if places else float("nan"),
        losing_below=sum(not each.wins for each in made[places[0] :]) if places else 0,
        above_pre_mlp=sum(each.over_pre_mlp.sign > 0 for each in made),
        above_centered=sum(each.over_centered.sign > 0 for each in made),
        weights_tell=sum(each.over_control.sign > 0 for each in made),
        best=max(made, key=lambda each: each.value.value),
    )


def differing_in(made: Sequence[InLayers], thing: str) -> list[InLayers]:
    """Those in the bases of dictionaries that were given the usual of all but one thing, from the least of it on.

    Args:
        made: of `in_layers`.
        thing: one of `THINGS`.
    """
    usual: Any = getattr(USUAL, thing)
    alike = [each for each in made if replace(each.training, **{thing: usual}) == USUAL]
    return sorted(alike, key=lambda each: float(getattr(each.training, thing)))


def _more(table: pd.DataFrame, made: Sequence[InLayers], thing: str) -> MoreOf | None:
    given = [each for each in differing_in(made, thing) if getattr(each.training, thing)]
    if len(given) < 2:
        return None
    least, most = given[0], given[-1]
    features, joint = (
        Difference.over_groups(_values(table, space, most.training) - _values(table, space, least.training))
        for space in (FEATURES, JOINT)
    )
    return MoreOf(
        thing=THINGS[thing],
        least=getattr(least.training, thing),
        most=getattr(most.training, thing),
        unexplained=Change(least.unexplained, most.unexplained),
        features=features,
        joint=joint,
    )


def _values(table: pd.DataFrame, space: str, training: Training) -> pd.Series:
    """Pair AUC of a space in the bases of alike dictionaries, with the units' own weights, by group and unit."""
    alike = (table[TRAINING_COLUMNS] == pd.Series(asdict(training))).all(axis=1)
    return values_of(table[alike], space, "auc")


def layers_table(table: pd.DataFrame) -> BookTable:
    """All dictionaries, the poorest first, and both vectors on each task: what a dictionary leaves unexplained, and
    pair AUC of the spaces in its basis, over a vector's and over that with another unit's weights.

    Args:
        table: of `layer_quality`.
    """
    rows: dict[tuple[str, str], dict[str, Estimate | float]] = {}
    for task, title in PLANTED_TASKS.items():
        if (mine := table[table["task"] == task]).empty:
            continue
        for one, both in zip(*(in_layers(mine, space, "auc") for space in (FEATURES, JOINT)), strict=True):
            rows[title, _titled(one.training)] = {
                "unexplained (%)": one.unexplained,
                FEATURES: one.value,
                "over pre-MLP": one.over_pre_mlp,
                "over another unit's": one.over_control,
                JOINT: both.value,
                "it over centered": both.over_centered,
                "it over another unit's": both.over_control,
            }
        for column, space in zip((FEATURES, JOINT), VECTORS, strict=True):
            rows[title, f"the {space} vector"] = {column: Estimate.over_groups(values_of(mine, space, "auc"))}
    frame = pd.DataFrame(list(rows.values()), index=pd.MultiIndex.from_tuples(list(rows)))
    return BookTable("dictionaries-of-layers", frame, digits={"unexplained (%)": 1}, as_half=True)


def _titled(training: Training) -> str:
    """A dictionary by what it has of the one thing that is not usual."""
    unusual = {name: value for name, value in asdict(training).items() if value != getattr(USUAL, name)}
    return ", ".join(f"{value:g} {THINGS[name]}" for name, value in unusual.items()) or "the usual one"
