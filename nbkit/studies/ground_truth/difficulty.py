"""What makes telling behaviors apart hard: pair AUC by what is varied of toys, planted and merged units."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbkit.method.truth.contestants import BASELINE
from nbkit.method.truth.leaderboard import leaderboard
from nbkit.method.truth.toys import Toy
from nbkit.studies.ground_truth.findings import TASKS, by_place, difference
from nbkit.studies.shared.estimate import Difference, Estimate
from nbkit.studies.shared.learned import JOINT
from nbkit.studies.shared.table import BookTable

DIFFICULTY_SPACES = (BASELINE, "centered", "paper's", JOINT, "sentence encoder", "key token")
"""Contestants that are shown."""
SUMS = ("merged", "gated", "merged probes", "concept", "merged latents")
"""Tasks whose units are sums of terms."""
PLAIN_TOY = "plain"
VARIED_TOYS: Mapping[str, Callable[[float], str]] = {
    "n_features": "{:g} features".format,
    "width": "{:g} dimensions".format,
    "n_units": "{:g} units".format,
    "active": "{:g} features active".format,
    "overlap": "overlap {:g}".format,
    "noise": "noise {:g}".format,
    "n_examples": "{:g} examples".format,
    "balance": "{:g} to 1".format,
}
"""How a toy's difficulty reads."""
NUMBERS_OF_BEHAVIORS = {"2 to 5 behaviors": (2, 5), "6 to 8 behaviors": (6, 8), "9 behaviors or more": (9, np.inf)}
"""Units of plain toys, by how many behaviors they have."""


@dataclass(frozen=True)
class Varied:
    """Units of one task and difficulty, by pair AUC."""

    task: str
    varied: str
    """What sets them apart from others of the task, in words."""
    units: int
    groups: int
    auc: Mapping[str, Estimate]
    """By contestant."""
    over_baseline: Difference
    """The centered vector beside the features against the pre-MLP vector of the same units."""
    over_easy: Difference
    """The former here against itself at the difficulty that this one differs from in one thing, mean over the groups
    that have both; NaN where this is the task's first."""

    @property
    def title(self) -> str:
        """Task and difficulty."""
        return f"{self.varied} ({self.task})"


@dataclass(frozen=True)
class Hardness:
    """What difficulty changes."""

    on: tuple[Varied, ...]

    @property
    def harder(self) -> tuple[str, ...]:
        """Difficulties at which the centered vector beside the features tells less, whole intervals below zero."""
        return tuple(each.title for each in self.on if each.over_easy.sign < 0)

    @property
    def easier(self) -> tuple[str, ...]:
        """Difficulties at which it tells more."""
        return tuple(each.title for each in self.on if each.over_easy.sign > 0)

    @property
    def above(self) -> tuple[str, ...]:
        """Difficulties at which it is above the pre-MLP vector."""
        return tuple(each.title for each in self.on if each.over_baseline.sign > 0)

    @property
    def below(self) -> tuple[str, ...]:
        """Difficulties at which it is below."""
        return tuple(each.title for each in self.on if each.over_baseline.sign < 0)


def by_difficulty(table: pd.DataFrame) -> Hardness:
    """Pair AUC by what is varied.

    Args:
        table: of `contest`.
    """
    shown = table[table["contestant"].isin(DIFFICULTY_SPACES) & (table["measure"].isin(["auc", "behaviors"]))]
    parts = [_toys(shown[shown["task"] == "toy"]), *(_sums(shown[shown["task"] == task]) for task in SUMS)]
    parts = [part for part in parts if len(part)]
    if not parts:
        return Hardness(())
    labeled = pd.concat(parts, ignore_index=True)
    return Hardness(tuple(_varied(labeled[labeled["measure"] == "auc"])))


def _toys(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of toys with `varied` and `easy`, the difficulty that each is compared to; those of plain toys once more by
    how many behaviors the units have."""
    if rows.empty:
        return rows
    places = {}
    for values in rows[list(VARIED_TOYS)].drop_duplicates().itertuples(index=False, name=None):
        own = dict(zip(VARIED_TOYS, values, strict=True))
        even = own if np.isnan(own["balance"]) else {**own, "balance": 1.0, "n_examples": rows["n_examples"].max()}
        varied, easy = _toy_words(own), _toy_words(even)
        places[_key(values)] = varied, PLAIN_TOY if easy == varied else easy
    keys = [_key(values) for values in rows[list(VARIED_TOYS)].itertuples(index=False, name=None)]
    every = rows.assign(varied=[places[key][0] for key in keys], easy=[places[key][1] for key in keys])
    plain = every[every["varied"] == PLAIN_TOY]
    known = plain[(plain["measure"] == "behaviors") & (plain["contestant"] == BASELINE)].drop_duplicates("unit")
    number = plain["unit"].map(known.set_index("unit")["value"])
    parts = [
        plain[number.between(low, high)].assign(varied=words, easy=next(iter(NUMBERS_OF_BEHAVIORS)))
        for words, (low, high) in NUMBERS_OF_BEHAVIORS.items()
    ]
    order = {words: place for place, words in enumerate(dict.fromkeys(every["varied"]))}
    return pd.concat(
        [
            plain,
            *parts,
            every[every["varied"] != PLAIN_TOY].sort_values("varied", key=lambda w: w.map(order), kind="stable"),
        ]
    )


def _key(values: tuple[float, ...]) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else value for value in values)  # NaN is no other NaN


def _toy_words(difficulty: Mapping[str, float]) -> str:
    changed = [
        words(difficulty[name])
        for name, words in VARIED_TOYS.items()
        if _key((difficulty[name],)) != _key((Toy().difficulty[name],))
    ]
    return ", ".join(changed) or PLAIN_TOY


def _sums(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of sums with `varied` and `easy`: evenly drawn ones by their terms, and others by their balance."""
    if rows.empty:
        return rows
    ordered = rows.sort_values(["balance", "terms"], kind="stable")
    terms = ordered["terms"].map("{:g} terms".format)
    varied = terms.where(ordered["balance"] == 1, terms + ordered["balance"].map(", {:g} to 1".format))
    easy = terms.where(ordered["balance"] > 1, "{:g} terms".format(ordered["terms"].min()))
    return ordered.assign(varied=varied, easy=easy)


def _varied(rows: pd.DataFrame) -> Iterator[Varied]:
    board = leaderboard(rows, by=["task", "varied"])
    joint = rows[(rows["contestant"] == JOINT) & (rows["condition"] == "own")]
    by_group = {
        (task, varied): part.groupby("group")["value"].mean()
        for (task, varied), part in joint.groupby(["task", "varied"], sort=False)
    }
    easy = {
        (task, varied): words for task, varied, words in zip(joint["task"], joint["varied"], joint["easy"], strict=True)
    }
    for (task, varied), mine in by_group.items():
        found = {
            name: row
            for (_, name), row in by_place(board[(board["task"] == task) & (board["varied"] == varied)], "auc").items()
        }
        reference = by_group.get((task, easy[task, varied]), mine)
        away = np.empty(0) if reference is mine else (mine - reference).dropna().to_numpy()
        yield Varied(
            TASKS[str(task)],
            str(varied),
            found[JOINT]["units"],
            found[JOINT]["groups"],
            {
                name: Estimate(found[name]["value"], found[name]["value_low"], found[name]["value_high"])
                for name in DIFFICULTY_SPACES
                if name in found
            },
            difference(found[JOINT], "over_baseline"),
            Difference.over_seeds(away),
        )


def difficulty_table(found: Hardness) -> BookTable:
    """Pair AUC by task and difficulty, of each contestant that is there; means over units with intervals over groups,
    and what the centered vector beside the features loses or gains."""
    names = [name for name in DIFFICULTY_SPACES if any(name in each.auc for each in found.on)]
    cells = [
        {name: each.auc.get(name) for name in names} | {"difference": each.over_easy, "units": each.units}
        for each in found.on
    ]
    index = pd.MultiIndex.from_tuples([(each.task, each.varied) for each in found.on], names=["group", "row"])
    return BookTable("difficulty", pd.DataFrame(cells, index=index), as_half=True)
