"""The ways to fill a page's own words."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from markdown_it import MarkdownIt

from nbkit.studies.shared import code, counted, each, listed, when
from nbkit.studies.shared.estimate import UNDEFINED, Estimate


@dataclass(frozen=True)
class Row:
    name: str
    share: Estimate


ROWS = (Row("first", Estimate(40.0, 30.0, 50.0)), Row("second", Estimate(math.nan, math.nan, math.nan)))


def test_a_sentence_is_there_only_under_its_condition() -> None:
    assert when(True, "said") == "said"
    assert when(False, "said") == when((), "said") == when(None, "said") == ""
    assert when(0, "said", "instead") == "instead"


def test_each_record_has_its_line() -> None:
    assert each(ROWS, "- *{r.name}*: {r.share:.0f%}") == f"- *first*: 40% (30 to 50)\n- *second*: {UNDEFINED}"
    assert each(ROWS, "{r.name}", " and ") == "first and second"
    assert each((), "- *{r.name}*") == ""
    assert each(ROWS, "*{r.name}*", "; ") == "*first*; *second*"


def test_names_are_listed_or_there_are_none() -> None:
    assert listed(row.name for row in ROWS) == "first, second"
    assert listed(["only"]) == "only"
    assert listed([]) == "none" and listed([], "no other") == "no other"


def test_things_are_counted() -> None:
    assert [counted(number, "seed") for number in (0, 1, 2, 1200)] == ["0 seeds", "1 seed", "2 seeds", "1,200 seeds"]


@pytest.mark.parametrize(
    "name",
    ["plain", "a`b", "``", "`a", "a`", "a``b`c", "<b>x</b>", "*x* _y_ $z$", "{cite}`x`", "back\\", "a  b\nc`\td"],
)
def test_any_name_is_code_and_all_of_it(name: str) -> None:
    page = MarkdownIt().render(f"*Made by {code(name)}: all.*")
    shown = " ".join(name.split()).replace("<", "&lt;").replace(">", "&gt;")
    assert page == f"<p><em>Made by <code>{shown}</code>: all.</em></p>\n"
