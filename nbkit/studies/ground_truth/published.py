"""The leaderboard that lies in the repository, and how far another one is from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from nbkit.method.truth.benchmark import BENCHMARK_VERSION
from nbkit.studies.ground_truth.findings import TASKS
from nbkit.studies.shared.learned import JOINT

LEADERBOARD = Path(__file__).with_name("leaderboard.csv")
"""That of the profile `default`, of `BENCHMARK_VERSION`."""
BOARD_KEYS = ["task", "measure", "contestant"]
NUMBERS = ["value", "over_baseline", "over_baseline_low", "over_baseline_high", "over_control", "over_control_low"]
NUMBERS += ["over_control_high"]
BOARD_MEASURES = ("auc", "ari_at_k", "ari", "clusters")
DECIMALS = 4
CLOSE = 0.01
"""By which a mean may differ, since processors round otherwise and autoencoders are trained on the way."""


@dataclass(frozen=True)
class Reproduction:
    """A leaderboard beside the published one, over the means that both have of as many units."""

    rows: int
    """Rows of both that are of as many units."""
    close: int
    """Those of them whose means differ by `CLOSE` at most."""
    others: int
    """Rows of one that the other lacks or has of another number of units."""
    farthest: str
    """Task, measure and contestant of the largest difference; empty if there is none to compare."""
    difference: float
    """That difference, this board's mean minus the published one; NaN if there is none to compare."""


@dataclass(frozen=True)
class Places:
    """Tasks on which a space is above and below the pre-MLP vector by pair AUC, whole intervals on one side."""

    above: tuple[str, ...]
    below: tuple[str, ...]
    won: tuple[str, ...]
    """Of those above, those on which it is above itself with another unit's weights, too."""


@dataclass(frozen=True)
class PublishedStanding:
    """What the published leaderboard says."""

    tasks: int
    paper: Places
    joint: Places
    """Of the centered vector beside the features."""


def published_standing(path: Path = LEADERBOARD) -> PublishedStanding:
    """What the published leaderboard says of the paper's space and of the centered vector beside the features."""
    auc = read_published(path)
    auc = auc[auc["measure"] == "auc"]
    order = {task: place for place, task in enumerate(TASKS)}

    def places(contestant: str) -> Places:
        rows = auc[auc["contestant"] == contestant].sort_values("task", key=lambda tasks: tasks.map(order))
        above, below = rows["over_baseline_low"] > 0, rows["over_baseline_high"] < 0
        chosen = (above, below, above & (rows["over_control_low"] > 0))
        return Places(*(tuple(TASKS[task] for task in rows["task"][each]) for each in chosen))

    return PublishedStanding(auc["task"].nunique(), places("paper's"), places(JOINT))


def against_published(board: pd.DataFrame, path: Path = LEADERBOARD) -> Reproduction:
    """Compares a leaderboard by task (see `standing`) with the published one."""
    both = as_published(board).merge(read_published(path), on=BOARD_KEYS, how="outer", suffixes=("", "_there"))
    alike = both[both["units"] == both["units_there"]]
    away = (alike["value"] - alike["value_there"]).to_numpy()
    if np.isnan(away).all():
        return Reproduction(0, 0, len(both), "", float("nan"))
    worst = int(np.nanargmax(np.abs(away)))
    place = ", ".join(str(alike[name].iloc[worst]) for name in BOARD_KEYS)
    close = int((np.abs(away) <= CLOSE).sum())
    return Reproduction(len(alike), close, len(both) - len(alike), place, float(away[worst]))


def as_published(board: pd.DataFrame) -> pd.DataFrame:
    """A leaderboard in the measures, columns and decimals of the published one."""
    board = board[board["measure"].isin(BOARD_MEASURES)]
    rounded = board[[*BOARD_KEYS, *NUMBERS, "units", "groups"]].round(dict.fromkeys(NUMBERS, DECIMALS))
    return rounded.assign(version=BENCHMARK_VERSION).sort_values(BOARD_KEYS, ignore_index=True)


def read_published(path: Path = LEADERBOARD) -> pd.DataFrame:
    """The published leaderboard: a row for each task, measure and contestant."""
    return pd.read_csv(path)
