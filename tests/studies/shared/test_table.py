"""The look of tables: how a number of each kind is written, what stands in line, and what is behind it."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nbkit.studies.shared.estimate import UNDEFINED, Difference, Estimate, Spread
from nbkit.studies.shared.quantity import Quantity
from nbkit.studies.shared.table import BookTable, Excerpt, Printed, Range, exact

NAN = math.nan


def column(*cells: object, **options: Any) -> BookTable:
    """A table of one column `x`."""
    return BookTable("a-table", pd.DataFrame({"x": pd.Series(cells, dtype=object)}).rename(index=str), **options)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (0.12345, "0.12"),
        (-1.0, "−1.00"),
        (-0.0001, "0.00"),
        (12345, "12,345"),
        (np.int64(3), "3"),
        (12345.678, "12,345.68"),
        (NAN, UNDEFINED),
        (None, UNDEFINED),
        ("words", "words"),
        ("", ""),
        (Estimate(0.5, 0.4, 0.6), "0.50 [0.40, 0.60]"),
        (Estimate(5.0, 5.0, 5.0), "5"),
        (Estimate(7.0, 7.0, 8.0), "7 [7, 8]"),
        (Estimate(0.5, 0.5, 0.5), "0.50"),
        (Estimate(0.5, NAN, NAN), "0.50"),
        (Estimate(NAN, NAN, NAN), UNDEFINED),
        (Estimate(0.5, 0.499, 0.501), "0.500 [0.499, 0.501]"),
        (Difference(-0.5, -0.6, -0.4), "−0.50 [−0.60, −0.40]"),
        (Difference(0.02, 0.002, 0.04), "+0.020 [+0.002, +0.040]"),
        (Difference(0.0, -0.1, 0.1), "0.00 [−0.10, +0.10]"),
        (Spread(5.0, 0.0), "5.00"),
        (Spread(0.334, 0.004), "0.334 ± 0.004"),
        (Spread(2600.0, 33.2), "2,600.00 ± 33.20"),
        (Spread(2600.0, 1033.2), "2,600.00 ± 1,033.20"),
        (Spread(0.5, NAN), "0.50"),
        (np.float32(0.5), "0.50"),
        (np.float64(0.5), "0.50"),
        (np.float32("nan"), UNDEFINED),
        (Printed(7, 0), "7"),
        (Range(1.0, 2.5), "1.00 to 2.50"),
        (Range(4.801, 4.802), "4.80"),
        (Excerpt("in ", "London", " now"), "in [London] now"),
        (Quantity("n", Estimate(0.5, 0.4, 0.6)), "0.50 [0.40, 0.60]"),
    ],
)
def test_a_cell_reads(cell: object, text: str) -> None:
    assert column(cell).written["x"].tolist() == [text]


def test_a_column_has_one_number_of_decimals_which_are_as_many_as_it_needs() -> None:
    wide, narrow = Estimate(0.5, 0.3, 0.7), Estimate(0.25, 0.249, 0.251)
    assert column(wide, narrow).written["x"].tolist() == ["0.500 [0.300, 0.700]", "0.250 [0.249, 0.251]"]
    assert column(wide, narrow, digits={"x": 1}).written["x"].tolist() == ["0.5 [0.3, 0.7]", "0.2 [0.2, 0.3]"]


def test_a_row_may_have_decimals_of_its_own() -> None:
    assert column(0.123, 0.123, digits={"1": 1}).written["x"].tolist() == ["0.12", "0.1"]


def test_half_an_interval_takes_less_room() -> None:
    assert column(Estimate(0.25, 0.1, 0.3), as_half=True).written["x"].tolist() == ["0.25 ± 0.10"]


def seen(html: str) -> list[list[str]]:
    """The cells of each row as they are laid out, with `·` for the room that a number leaves."""
    html = re.sub(r' data-lacks="([.0]+)">(.*?)</td>', lambda cell: f">{cell[2]}{'·' * len(cell[1])}</td>", html)
    rows = re.findall(r"<tr.*?</tr>", html)
    return [[re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<t[dh].*?</t[dh]>", row)] for row in rows]


def test_decimal_points_stand_below_each_other_and_uncertainty_in_a_cell_of_its_own() -> None:
    table = column(Estimate(12.0, 12.0, 12.0), Spread(0.25, 0.05), "", None)
    assert seen(table._repr_html_()) == [
        ["", "x"],
        ["0", "12···", ""],
        ["1", "0.25", "± 0.05"],
        ["2", "", ""],
        ["3", f"{UNDEFINED}···", ""],
    ]
    assert '<th scope="col" class="number" colspan="2">x</th>' in table._repr_html_()


def test_words_and_groups_of_rows() -> None:
    index = pd.MultiIndex.from_tuples([("first", "a"), ("first", "b"), ("second", "a")])
    html = BookTable("a-table", pd.DataFrame({"x": ["p", "q", "r"]}, index=index))._repr_html_()
    assert seen(html) == [["", "x"], ["first"], ["a", "p"], ["b", "q"], ["second"], ["a", "r"]]
    assert (
        '<td class="words">p</td>' in html and '<tr class="group"><th scope="rowgroup" colspan="2">first</th>' in html
    )


def test_text_is_no_markup() -> None:
    hostile = "<script>"
    cells = {hostile: [hostile, Excerpt(hostile, hostile, hostile), Quantity(hostile, hostile)]}
    html = BookTable("a-table", pd.DataFrame(cells, index=[hostile] * 3))._repr_html_()
    assert hostile not in html and html.count("&lt;script&gt;") == 11
    assert "<b>&lt;script&gt;</b>" in html


def test_a_quantity_carries_its_name_and_whole_value() -> None:
    html = column(Quantity("n", Estimate(0.12345, 0.1, 0.2)))._repr_html_()
    assert '<data data-quantity="n" value="0.12345">0.12</data>' in html


def test_the_data_are_the_numbers_unrounded() -> None:
    cells = {"a": [Quantity("n", Estimate(0.5, 0.4, 0.6)), 1 / 3], "b": [Spread(1.0, 0.25), "words"]}
    data = BookTable("a-table", pd.DataFrame(cells, index=["x", "y"])).data
    assert list(data) == ["a", "a low", "a high", "b", "b deviation"]
    assert data["a"].tolist() == [0.5, 1 / 3] and data["b"].tolist() == [1.0, "words"]
    assert data.loc["x", "a low"] == 0.4 and np.isnan(data.loc["y", "a low"])


@pytest.mark.parametrize(
    ("value", "shown"), [(0.000178, "0.000178"), (5e-5, "0.00005"), (0.9, "0.9"), (0.0, "0"), (128, "128"), ("", "")]
)
def test_a_setting_has_all_its_decimals(value: object, shown: str) -> None:
    assert column(exact(value)).written["x"].tolist() == [shown]
