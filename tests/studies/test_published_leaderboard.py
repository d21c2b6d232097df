"""The leaderboard in the repository, and the comparison with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbkit.method.truth.benchmark import BENCHMARK_VERSION
from nbkit.method.truth.leaderboard import leaderboard
from nbkit.studies.ground_truth.findings import TASKS
from nbkit.studies.ground_truth.published import (
    CLOSE,
    against_published,
    as_published,
    published_standing,
    read_published,
)


def board(shift: float = 0.0, units: int = 3) -> pd.DataFrame:
    rows = [
        (f"g{unit % 2}", f"u{unit}", contestant, condition, 0.5 + 0.1 * unit + (shift if contestant == "mine" else 0))
        for unit in range(units)
        for contestant in ("pre-MLP", "mine")
        for condition in ("own", "shuffled")
    ]
    table = pd.DataFrame(rows, columns=["group", "unit", "contestant", "condition", "value"])
    return leaderboard(table.assign(version=BENCHMARK_VERSION, task="toy", measure="auc"))


def test_a_board_is_compared_row_by_row(tmp_path: Path) -> None:
    path = tmp_path / "board.csv"
    as_published(board()).to_csv(path, index=False)
    same = against_published(board(), path)
    assert (same.rows, same.close, same.others, same.difference) == (2, 2, 0, 0)
    moved = against_published(board(2 * CLOSE), path)
    assert (moved.rows, moved.close, moved.farthest) == (2, 1, "toy, auc, mine")
    assert moved.difference == pytest.approx(2 * CLOSE)
    other = against_published(board(units=4), path)
    assert (other.rows, other.others, other.farthest) == (0, 2, "")
    assert np.isnan(other.difference)


def test_the_published_board_is_of_this_version_and_these_tasks() -> None:
    published = read_published()
    assert set(published["version"]) == {BENCHMARK_VERSION}
    assert set(published["task"]) == set(TASKS)
    contestants = {"pre-MLP", "centered", "paper's", "features", "centered + features", "key token"}
    assert contestants <= set(published["contestant"])
    pd.testing.assert_frame_equal(published, as_published(published), check_dtype=False)


def test_what_the_published_board_says(tmp_path: Path) -> None:
    said, published = published_standing(), read_published()
    auc = published[published["measure"] == "auc"].set_index(["task", "contestant"])
    for name, places in (("paper's", said.paper), ("centered + features", said.joint)):
        for task, title in TASKS.items():
            row: Any = auc.loc[(task, name)]
            assert (title in places.above) == (row["over_baseline_low"] > 0)
            assert (title in places.below) == (row["over_baseline_high"] < 0)
            assert (title in places.won) == (row["over_baseline_low"] > 0 and row["over_control_low"] > 0)
    assert said.tasks == len(TASKS)
