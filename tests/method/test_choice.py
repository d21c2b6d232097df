"""Choosing by rule: who is eligible, in which order, and what the sentence says."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbkit.method.choice import Rules, rankings

TABLE = pd.DataFrame({"n": [5, 20, 30, 40, 50], "score": [9.0, 2.0, 3.0, np.nan, 3.0]}, index=[3, 4, 5, 6, 7])
RULES: Rules = {
    "at least 100": lambda table: table["n"] >= 100,
    "at least 20": lambda table: table["n"] >= 20,
    "any": lambda table: table["n"] > 0,
}


def test_units_come_by_score_and_the_earlier_of_equals_first() -> None:
    found = list(rankings(TABLE, RULES, lambda table: table["score"], "the best", "the 5 units", "no unit"))
    assert [ranking.units.tolist() for ranking in found] == [[5, 7, 4], [3, 5, 7, 4]]  # NaN is not eligible
    looser = "Chosen by a looser rule, since the usual one finds no unit here: "
    assert found[0].sentence == looser + "at least 20; of these the best (3 of the 5 units are eligible)."
    assert found[1].sentence == looser + "any; of these the best (4 of the 5 units are eligible)."


def test_the_rule_that_is_meant_is_called_the_rule() -> None:
    rules = {"at least 40": lambda table: table["n"] >= 40}
    [found] = rankings(TABLE, rules, lambda table: table["n"], "the largest", "5 units")
    assert found.sentence == "Chosen by rule: at least 40; of these the largest (2 of 5 units are eligible)."
    assert found.units.tolist() == [7, 6]


def test_the_score_may_depend_on_who_is_eligible() -> None:
    [found, _] = rankings(TABLE, RULES, lambda table: -(table["n"] - table["n"].median()).abs(), "the middle", "all")
    assert found.units[0] == 5  # the median of 20 to 50 is 35: of 30 and 40, the earlier


def test_where_no_rule_finds_any_there_is_nothing() -> None:
    assert list(rankings(TABLE[:0], RULES, lambda table: table["n"], "the best", "0 units")) == []
