"""The leaderboard that lies in the repository, and how far another one is from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from nbkit.method.truth.benchmark import VERSION

PUBLISHED = Path(__file__).with_name("leaderboard.csv")
"""That of the profile `default`, of `VERSION`."""
PLACE = ["task", "measure", "contestant"]
NUMBERS = ["value", "over_baseline", "over_baseline_low", "over_baseline_high", "over_control", "over_control_low"]
NUMBERS += ["over_control_high"]
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


def against_published(board: pd.DataFrame, path: Path = PUBLISHED) -> Reproduction:
    """Compares a leaderboard by task (see `standing`) with the published one."""
    both = as_published(board).merge(read_published(path), on=PLACE, how="outer", suffixes=("", "_there"))
    alike = both[both["units"] == both["units_there"]]
    away = (alike["value"] - alike["value_there"]).reset_index(drop=True)
    if away.notna().sum() == 0:
        return Reproduction(0, 0, len(both), "", float("nan"))
    worst = int(away.abs().idxmax())
    place = ", ".join(str(alike[name].iloc[worst]) for name in PLACE)
    return Reproduction(len(alike), int((away.abs() <= CLOSE).sum()), len(both) - len(alike), place, float(away[worst]))


def as_published(board: pd.DataFrame) -> pd.DataFrame:
    """A leaderboard in the columns and decimals of the published one."""
    rounded = board[[*PLACE, *NUMBERS, "units", "groups"]].round(dict.fromkeys(NUMBERS, DECIMALS))
    return rounded.assign(version=VERSION).sort_values(PLACE, ignore_index=True)


def read_published(path: Path = PUBLISHED) -> pd.DataFrame:
    """The published leaderboard: a row for each task, measure and contestant."""
    return pd.read_csv(path)
