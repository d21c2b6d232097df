"""The standard units, small ones in their place: what `benchmark` measures on by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import nbkit
from nbkit.method.truth import standard
from nbkit.method.truth.leaderboard import leaderboard
from nbkit.method.truth.toys import Toy, toy_units
from nbkit.method.truth.unit import Unit


def test_a_stranger_enters_a_contestant(monkeypatch: pytest.MonkeyPatch) -> None:
    small = Toy(n_features=20, width=10, n_units=8, active=2, n_examples=40, steps=40)
    monkeypatch.setattr(standard, "PLAIN", (small, replace(small, seed=1)))
    monkeypatch.setattr(standard, "HARDER_AND_EASIER", (replace(small, active=3),))
    monkeypatch.setattr(standard, "UNITS_OF_A_TOY", 3)

    def mine(unit: Unit) -> np.ndarray:
        embeddings: np.ndarray = (unit.read - unit.background.vectors.mean(axis=0)) * unit.weights
        return embeddings

    table = nbkit.benchmark(mine)
    assert set(table["contestant"]) == {"pre-MLP", "mine"}
    units = table.drop_duplicates("unit")
    toys, nulls = units[units["task"] == "toy"], units[units["task"] == "null"]
    assert toys.groupby(["active", "group"]).size().tolist() == [3, 3, 3]
    assert nulls.groupby("examples").size().to_dict() == dict.fromkeys((10, 30, 100, 300), 3)
    assert set(nulls["group"]) == {small.group}, "of the first half of the plain toys"
    board = leaderboard(table).set_index(["task", "measure", "contestant"])
    assert board.loc[("toy", "auc", "mine"), "groups"] == 2
    assert board.loc[("null", "behaviors", "mine"), "value"] == 1
    assert board.loc[("null", "auc", "pre-MLP"), "value"] == pytest.approx(0.5, abs=0.1)


def test_the_standard_is_what_its_version_says() -> None:
    assert [toy.seed for toy in standard.PLAIN] == list(range(2, 8))
    assert {replace(toy, seed=0) for toy in standard.PLAIN} == {Toy()}
    for toy in standard.HARDER_AND_EASIER:
        changed = [name for name in Toy.__dataclass_fields__ if getattr(toy, name) != getattr(Toy(), name)]
        changed = [name for name in changed if name != "seed"]
        assert changed == ["n_examples", "balance"] or len(changed) == 1
    assert {toy.n_examples for toy in standard.HARDER_AND_EASIER} == {10, 30, 100, 300}
    assert {toy.balance for toy in standard.HARDER_AND_EASIER} == {None, 1, 10, 50}


def test_every_standard_toy_has_units_whose_behaviors_are_as_it_says() -> None:
    for toy in standard.HARDER_AND_EASIER:
        if toy.seed == standard.FIRST_SEED and toy.balance is not None:
            units = [labeled.take(~labeled.ambiguous) for labeled in toy_units(toy)]
            assert len(units) >= standard.UNITS_OF_A_TOY
            for labeled in units:
                counts = np.unique(labeled.labels, return_counts=True)[1]
                assert counts.min() >= 3 and counts.sum() == pytest.approx(toy.n_examples, rel=0.03)
                lowest, highest = (
                    (counts.max() - 0.5) / (counts.min() + 0.5),
                    (counts.max() + 0.5) / (counts.min() - 0.5),
                )
                assert lowest <= toy.balance <= highest
