"""Tables of experiments: made once, by whoever asks first, and never mistaken for those of another request."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pandas as pd
import pytest

import nbkit.studies.shared.kept_tables
from nbkit.errors import NbkitError
from nbkit.mnist.mlp import MLP_RECIPE
from nbkit.sae.config import SaeConfig
from nbkit.studies.shared.kept_tables import Configs, kept_table, kept_tables


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache of its own."""
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path))
    return tmp_path


def table(value: float) -> pd.DataFrame:
    return pd.DataFrame({"seed": [0, 1], "mse": [value, float("nan")]})


def never() -> pd.DataFrame:
    raise AssertionError("made again")


def test_a_table_is_made_once_and_another_request_makes_another() -> None:
    made = kept_table("toy", {"recipe": 1, "l1": 0.1}, lambda: table(0.25))
    pd.testing.assert_frame_equal(made, table(0.25))
    pd.testing.assert_frame_equal(kept_table("toy", {"l1": 0.1, "recipe": 1}, never), made)
    assert kept_table("toy", {"recipe": 2, "l1": 0.1}, lambda: table(0.5))["mse"][0] == 0.5
    assert kept_table("tom", {"recipe": 1, "l1": 0.1}, lambda: table(0.75))["mse"][0] == 0.75


def test_another_recipe_of_the_mlp_makes_another_table(monkeypatch: pytest.MonkeyPatch) -> None:
    kept_table("toy", {}, lambda: table(0.25))
    monkeypatch.setitem(MLP_RECIPE, "epochs", 4)
    assert kept_table("toy", {}, lambda: table(0.5))["mse"][0] == 0.5


def test_who_asks_meanwhile_waits_for_the_first() -> None:
    calls: list[int] = []

    def slow() -> pd.DataFrame:
        calls.append(1)
        time.sleep(0.3)
        return table(1.0)

    threads = [threading.Thread(target=kept_table, args=("toy", {}, slow)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def test_an_experiment_that_fails_keeps_nothing_and_is_told_as_it_is(cache: Path) -> None:
    def fails() -> pd.DataFrame:
        raise OSError("of the experiment itself")

    with pytest.raises(OSError, match="of the experiment itself"):
        kept_table("toy", {}, fails)
    assert not list((cache / "results").glob("*.parquet"))
    assert kept_table("toy", {}, lambda: table(1.0))["mse"][0] == 1.0


def test_a_cache_that_cannot_be_written_is_told(cache: Path) -> None:
    (cache / "results").write_text("a file where the folder should be")
    with pytest.raises(NbkitError, match=r"can't write to .*results .*: set NBKIT_CACHE to another folder"):
        kept_table("toy", {}, never)


def test_groups_that_are_missing_are_made_and_all_come_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    mlps: list[int] = []
    made: list[tuple[float, int]] = []

    def make(configs: Configs) -> pd.DataFrame:
        made.extend((config.l1, config.seed) for config in configs)
        return table(configs[0].l1)

    monkeypatch.setattr(nbkit.studies.shared.kept_tables, "mlp_for", mlps.append)
    groups = [[SaeConfig(l1=l1, seed=seed)] for l1 in (1.0, 2.0) for seed in (3, 4)]
    kept_tables("toy", 1, groups[1:2], make, n_jobs=1, progress=False)
    assert mlps == [4] and made == [(1.0, 4)]
    found = kept_tables("toy", 1, groups, make, n_jobs=1, progress=False)
    assert made == [(1.0, 4), (1.0, 3), (2.0, 3), (2.0, 4)] and mlps == [4, 3, 4]
    assert [mine["mse"][0] for mine in found] == [1.0, 1.0, 2.0, 2.0]
    monkeypatch.setattr(nbkit.studies.shared.kept_tables, "in_processes", lambda *_: pytest.fail("started for nothing"))
    for mine, before in zip(kept_tables("toy", 1, groups, make, progress=False), found, strict=True):
        pd.testing.assert_frame_equal(mine, before)
    kept_tables("toy", 2, [], make)
