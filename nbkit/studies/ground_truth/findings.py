"""What the contest supports, as numbers with intervals and the verdicts that follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from nbkit.method.truth.leaderboard import leaderboard
from nbkit.studies.shared.estimate import Difference, Estimate
from nbkit.studies.shared.learned import FEATURES, JOINT
from nbkit.studies.shared.planted.layers import PLANTED_TASKS
from nbkit.studies.shared.table import BookTable

TASKS: Mapping[str, str] = {
    "toy": "toy networks",
    "merged": "merged neurons",
    "gated": "gated sums",
    **{task: PLANTED_TASKS[task] for task in ("merged probes", "concept", "senses")},
    "form or meaning": "meaning over form",
    "merged latents": "merged latents",
    "images": "merged image units",
    "corner patches": "corner patches",
    "digits": "digits",
}
"""Titles of the tasks in which there is something to find."""

KNOWS_TRUTH = "true "
"""How the names of contestants begin that are told what nobody can know."""
WITHOUT_UNIT = ("key token", "sentence encoder")
"""Contestants that know the text alone; where there is none they stay out."""


@dataclass(frozen=True)
class OnTask:
    """A space on one task, by pair AUC."""

    task: str
    units: int
    groups: int
    over_baseline: Difference
    """Against the pre-MLP vector of the same units."""
    over_control: Difference
    """Against itself with another unit's weights."""
    over_centered: Difference
    """Against the vector minus the layer's mean."""

    @property
    def won(self) -> bool:
        """Above both vectors and the control."""
        return min(self.over_baseline.sign, self.over_control.sign, self.over_centered.sign) > 0


@dataclass(frozen=True)
class Space:
    """A space on all tasks."""

    name: str
    on: tuple[OnTask, ...]

    @property
    def won(self) -> tuple[str, ...]:
        """Tasks on which it is above the pre-MLP vector, the centered one and its own control, whole intervals above
        zero."""
        return tuple(each.task for each in self.on if each.won)

    @property
    def above(self) -> tuple[str, ...]:
        """Tasks on which it is above the pre-MLP vector."""
        return tuple(each.task for each in self.on if each.over_baseline.sign > 0)

    @property
    def below(self) -> tuple[str, ...]:
        """Tasks on which it is below the pre-MLP vector."""
        return tuple(each.task for each in self.on if each.over_baseline.sign < 0)

    @property
    def weights_tell(self) -> tuple[str, ...]:
        """Tasks on which its own weights do better than another unit's."""
        return tuple(each.task for each in self.on if each.over_control.sign > 0)


@dataclass(frozen=True)
class Standing:
    """What a leaderboard says."""

    tasks: int
    units: int
    """Different ones; concepts and merged probes, nouns and verbs and meaning over form, have theirs in common."""
    paper: Space
    features: Space
    joint: Space
    """The centered vector beside the features."""
    best: tuple[str, ...]
    """For each task its title and the space of the highest pair AUC among those that know no truth."""
    without_unit: tuple[Space, ...]
    """Those of `WITHOUT_UNIT` that were measured."""


def standing(table: pd.DataFrame) -> tuple[pd.DataFrame, Standing]:
    """The leaderboard of a contest's table by task, without null units, and what it says."""
    able = table[table["task"] != "null"]
    board = leaderboard(able)
    auc = by_place(board, "auc")
    over_centered = by_place(leaderboard(able[able["measure"] == "auc"], baseline="centered"), "auc")
    tasks = tasks_of(board)
    best = []
    for task in tasks:
        values = {
            name: row["value"] for (at, name), row in auc.items() if at == task and not name.startswith(KNOWS_TRUTH)
        }
        best.append(f"{max(values, key=lambda name: values[name])} ({TASKS[task]})")
    units = able[able["measure"] == "behaviors"]["unit"].nunique()  # which pairs of words and senses have none of
    entered = {name for _, name in auc}
    spaces = {name: _space(auc, over_centered, name, tasks) for name in ("paper's", FEATURES, JOINT, *WITHOUT_UNIT)}
    without_unit = tuple(spaces[name] for name in WITHOUT_UNIT if name in entered)
    paper, features, joint = (spaces[name] for name in ("paper's", FEATURES, JOINT))
    return board, Standing(len(tasks), units, paper, features, joint, tuple(best), without_unit)


def tasks_of(board: pd.DataFrame) -> list[str]:
    """The tasks of a leaderboard, in the order of `TASKS`."""
    return [task for task in TASKS if (board["task"] == task).any()]


def by_place(board: pd.DataFrame, measure: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of a measure by task and contestant."""
    rows = board[board["measure"] == measure].to_dict("records")
    return {(row["task"], row["contestant"]): {str(name): value for name, value in row.items()} for row in rows}


def difference(row: Mapping[str, Any], what: str) -> Difference:
    """A difference that stands in a leaderboard's row, `over_baseline` or `over_control`; unknown without a row."""
    return Difference(*(float(row.get(f"{what}{end}", np.nan)) for end in ("", "_low", "_high")))


def _space(
    auc: Mapping[tuple[str, str], Mapping[str, Any]],
    over_centered: Mapping[tuple[str, str], Mapping[str, Any]],
    name: str,
    tasks: Sequence[str],
) -> Space:
    rows = {task: auc[task, name] for task in tasks if (task, name) in auc}
    return Space(
        name,
        tuple(
            OnTask(
                TASKS[task],
                row["units"],
                row["groups"],
                difference(row, "over_baseline"),
                difference(row, "over_control"),
                difference(over_centered[task, name], "over_baseline"),
            )
            for task, row in rows.items()
        ),
    )


def compared_table(spaces: Sequence[Space]) -> BookTable:
    """Spaces by task: their difference to both vectors, and to themselves with another unit's weights."""
    cells = {
        (space.name, on.task): {
            "over the pre-MLP vector": on.over_baseline,
            "over the centered one": on.over_centered,
            "over its control": on.over_control,
            "units": on.units,
            "groups": on.groups,
        }
        for space in spaces
        for on in space.on
    }
    frame = pd.DataFrame(list(cells.values()), index=pd.MultiIndex.from_tuples(list(cells)))
    return BookTable("compared", frame)


def clusters_found(table: pd.DataFrame, names: Sequence[str]) -> BookTable:
    """How many clusters the paper's cut finds, beside the true number, by task and space; medians over units."""
    own = table[(table["condition"] == "own") & table["contestant"].isin(names) & (table["task"] != "null")]
    medians = own.pivot_table(index=["task", "unit"], columns=["measure", "contestant"], values="value")
    rows = {}
    for task, title in TASKS.items():
        if task in medians.index.get_level_values(0) and np.isfinite(medians.loc[task]["behaviors"].to_numpy()).any():
            mine = medians.loc[task]
            rows[title] = {"true": float(np.nanmedian(mine["behaviors"].to_numpy()))} | {
                name: float(mine["clusters"][name].median()) for name in names if name in mine["clusters"]
            }
    return BookTable("clusters-found", pd.DataFrame.from_dict(rows, orient="index"), dict.fromkeys(["true", *names], 1))


def null_table(table: pd.DataFrame, names: Sequence[str]) -> BookTable:
    """How often one behavior of a toy falls apart at the paper's cut, by space and number of examples: the share of
    null units with more than one cluster, with an interval over toys.

    Args:
        table: of `contest`.
        names: of the spaces.
    """
    nulls = table[(table["task"] == "null") & (table["condition"] == "own") & (table["measure"] == "clusters")]
    cells = {}
    for name in names:
        mine = nulls[nulls["contestant"] == name].set_index("group")
        sizes = {int(size): mine[mine["examples"] == size] for size in sorted(set(mine["examples"].tolist()))}
        cells[name] = {f"{size} examples": share_apart(part["value"]) for size, part in sizes.items()}
    return BookTable("null", pd.DataFrame.from_dict(cells, orient="index"), as_half=True)


def share_apart(clusters: pd.Series) -> Estimate:
    """The share of units with more than one cluster, with an interval over groups, which the index names."""
    return Estimate.over_groups((clusters > 1).astype(float))
