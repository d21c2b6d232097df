"""Choosing a unit to show by a stated rule: who is eligible, who comes first, and a sentence that says both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pandas as pd

Rules = Mapping[str, Callable[[pd.DataFrame], "pd.Series[bool]"]]
"""Eligible units, in words and as a function of their table: first the rule that is meant, then looser ones for a table
where it finds none."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """The units that a rule takes."""

    units: pd.Index
    """Their rows in the table, the highest score first; of equal scores the earlier row."""
    sentence: str
    """The rule, the score, and how many units were eligible."""


def rankings(
    table: pd.DataFrame,
    rules: Rules,
    score: Callable[[pd.DataFrame], pd.Series[float]],
    aim: str,
    all_units: str,
    none: str = "none",
) -> Iterator[Ranking]:
    """The units of a table by score, once for each rule that takes any.

    Args:
        table: one row a unit.
        rules: who is eligible.
        score: of the rows that a rule takes; a unit whose score is NaN is not eligible.
        aim: the score in words, such as "the highest silhouette".
        all_units: how many units the table has, such as "512 latents".
        none: what the usual rule finds if a looser one has to choose.
    """
    for number, (rule, eligible) in enumerate(rules.items()):
        scores = score(table[eligible(table)]).dropna()
        if scores.empty:
            continue
        how = f"Chosen by a looser rule, since the usual one finds {none} here" if number else "Chosen by rule"
        sentence = f"{how}: {rule}; of these {aim} ({len(scores):,} of {all_units} are eligible)."
        yield Ranking(scores.sort_values(ascending=False, kind="stable").index, sentence)
