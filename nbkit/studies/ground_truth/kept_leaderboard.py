"""The leaderboard that lies in the repository, which a build of the default profile measures again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from nbkit.method.truth.benchmark import VERSION

FILE = Path(__file__).with_name("leaderboard.csv")
MEASURES = ("auc", "ari_at_k", "ari", "clusters")
KEYS = ["task", "contestant", "measure"]
NUMBERS = ["value", "value_low", "value_high", "over_baseline", "over_control"]
SIZES = ["units", "groups"]
DIGITS = 4


@dataclass(frozen=True)
class Compared:
    """A leaderboard beside the one in the repository."""

    same_units: bool
    """Whether both are of as many units and groups, of the same version."""
    largest: float
    """The largest difference of a value in pair AUC, over all tasks and contestants."""
    where: str
    """Its task and contestant."""


def lines_of(board: pd.DataFrame) -> pd.DataFrame:
    """What is kept of a leaderboard, rounded."""
    chosen = board[board["measure"].isin(MEASURES)]
    kept = chosen[[*KEYS, *NUMBERS, *SIZES]].round(DIGITS).reset_index(drop=True)
    return kept.assign(version=VERSION)


def write_leaderboard(board: pd.DataFrame, path: Path = FILE) -> None:
    """Put a leaderboard in the place of the one in the repository; that of the default profile belongs there.

    Args:
        board: of `standing`.
        path: the file.
    """
    lines_of(board).to_csv(path, index=False)


def against_kept(board: pd.DataFrame, path: Path = FILE) -> Compared:
    """Compare a leaderboard with the one in the repository.

    Args:
        board: of `standing`.
        path: the file.
    """
    both = lines_of(board).merge(pd.read_csv(path), on=[*KEYS, "version"], suffixes=("", "_kept"), how="outer")
    same = bool(all((both[size] == both[f"{size}_kept"]).all() for size in SIZES))
    auc = both[both["measure"] == "auc"].dropna(subset=["value", "value_kept"]).reset_index(drop=True)
    apart = (auc["value"] - auc["value_kept"]).abs()
    if not len(apart):
        return Compared(same, float("nan"), "")
    row = auc.iloc[int(apart.to_numpy().argmax())]
    return Compared(same, float(apart.max()), f"{row['contestant']}, {row['task']}")
