"""The look of every table on the pages: decimals in line, what is uncertain muted, headers over their columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from nbkit.figures.data_link import data_link
from nbkit.studies.shared.estimate import UNDEFINED, Difference, Estimate, Spread, plain, signed
from nbkit.studies.shared.quantity import Quantity

LEAST_DIGITS, MOST_DIGITS = 2, 3
"""Decimals of a column that names none: two, or as many as show that an interval is not nothing."""


@dataclass(frozen=True)
class Printed:
    """A number with decimals of its own, such as those that a paper prints."""

    value: float
    digits: int


def exact(value: object) -> object:
    """A number with all its decimals; anything but a `float` as it is."""
    if not isinstance(value, float):
        return value
    return Printed(value, _decimals(np.format_float_positional(value, trim="-")))


@dataclass(frozen=True)
class Excerpt:
    """Text of a corpus around a token, which stands out."""

    before: str
    token: str
    after: str


@dataclass(frozen=True)
class Range:
    """From the lowest to the highest of several numbers."""

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class BookTable:
    """A table for the eye, over the numbers that it shows.

    A number stands on the right of its column, its decimal point below those above it. An interval or a deviation
    stands muted beside it, and not at all where it is nothing.
    """

    name: str
    """Of the file of its data, without an ending."""
    cells: pd.DataFrame
    """What the cells hold: numbers, `Estimate`, `Difference` (with its sign), `Spread`, `Printed`, `Range`, one of
    these as a `Quantity`, words, or an `Excerpt`; None and NaN are a dash. With two levels of row titles the first
    heads a group of rows."""
    digits: Mapping[str, int] = field(default_factory=dict)
    """Decimals of a column, or else of a row, by its title; the others have two, or as many as they need."""
    as_half: bool = False
    """Whether an interval is written as ± half its width, where its ends would take too much room."""

    @property
    def written(self) -> pd.DataFrame:
        """The table as it reads, a text a cell."""
        return pd.DataFrame(
            [[" ".join(filter(None, self._texts(i, j))) for j in self._columns] for i in self._rows],
            index=self.cells.index,
            columns=self.cells.columns,
        )

    @property
    def data(self) -> pd.DataFrame:
        """The numbers behind the table, unrounded: a column for each end of an interval, and for a deviation."""
        columns: dict[str, list[Any]] = {}
        for j, title in enumerate(self.cells.columns):
            parts = [_parts(self._cell(i, j)) for i in self._rows]
            for part in dict.fromkeys(name for mine in parts for name in mine):
                columns[f"{title} {part}".strip()] = [mine.get(part) for mine in parts]
        return pd.DataFrame(columns, index=self.cells.index)

    def _repr_html_(self) -> str:
        table = f"<table>{self._head()}<tbody>{''.join(self._body())}</tbody></table>"
        titles = ["group", "row"][-self.cells.index.nlevels :]
        link = data_link({"": self.data.reset_index(names=titles)}, self.name, "table")
        return f'<div class="nbkit-table">{table}</div>{link}'

    def __repr__(self) -> str:
        return self.written.to_string()

    @property
    def _rows(self) -> range:
        return range(self.cells.shape[0])

    @property
    def _columns(self) -> range:
        return range(self.cells.shape[1])

    def _head(self) -> str:
        titles = [
            f'<th scope="col" class="{_kind(self._is_number(j))}"{_over(1 + self._is_uncertain(j))}>'
            f"{escape(str(title))}</th>"
            for j, title in enumerate(self.cells.columns)
        ]
        return f"<thead><tr><td></td>{''.join(titles)}</tr></thead>"

    def _body(self) -> list[str]:
        width = 1 + sum(1 + self._is_uncertain(j) for j in self._columns)
        group, lines = None, []
        for i, titles in enumerate(self.cells.index):
            *above, title = titles if isinstance(titles, tuple) else (titles,)
            if above and above[0] != group:
                group = above[0]
                lines.append(f'<tr class="group"><th scope="rowgroup"{_over(width)}>{escape(str(group))}</th></tr>')
            cells = "".join(self._html(i, j) for j in self._columns)
            lines.append(f'<tr><th scope="row">{escape(str(title))}</th>{cells}</tr>')
        return lines

    def _html(self, i: int, j: int) -> str:
        cell, is_number = self.cells.iat[i, j], self._is_number(j)
        number, uncertainty = map(escape, self._texts(i, j))
        lacks = _lacking(_decimals(number), max(self._decimals_of(j))) if _is_number(self._cell(i, j)) else ""
        marked = cell.marked(number) if isinstance(cell, Quantity) else number
        if isinstance(cell, Excerpt):
            marked = f"{escape(cell.before)}<b>{escape(cell.token)}</b>{escape(cell.after)}"
        beside = f'<td class="uncertainty">{uncertainty}</td>' if self._is_uncertain(j) else ""
        return f'<td class="{_kind(is_number)}"{lacks}>{marked}</td>{beside}'

    def _texts(self, i: int, j: int) -> tuple[str, str]:
        """A cell's number and what stands muted beside it."""
        cell, digits = self._cell(i, j), self._digits(i, j)
        match cell:
            case str():
                return cell, ""
            case Excerpt():
                return f"{cell.before}[{cell.token}]{cell.after}", ""
            case Printed():
                return plain(cell.value, cell.digits, ","), ""
            case Estimate() if cell.known:
                return self._estimate(cell, digits)
            case Spread() if np.isfinite(cell.mean):
                shows = np.isfinite(cell.deviation) and round(cell.deviation, digits) > 0
                return plain(cell.mean, digits, ","), f"± {plain(cell.deviation, digits, ',')}" if shows else ""
            case Range() if np.isfinite(cell.low):
                ends = (plain(end, digits, ",") for end in (cell.low, cell.high))
                return " to ".join(dict.fromkeys(ends)), ""
            case int() | np.integer():
                return plain(float(cell), 0, ","), ""
            case float() | np.floating() if np.isfinite(cell):
                return plain(float(cell), digits, ","), ""
        return UNDEFINED, ""

    def _estimate(self, cell: Estimate, digits: int) -> tuple[str, str]:
        numbers = (cell.value, cell.low, cell.high)
        if all(number == round(number) for number in numbers if np.isfinite(number)):
            digits = 0  # a median of counts
        write = signed if isinstance(cell, Difference) else plain
        value, low, high = (write(number, digits) if np.isfinite(number) else "" for number in numbers)
        if low == high:
            return value, ""
        half = plain((cell.high - cell.low) / 2, digits or 1)
        return value, f"± {half}" if self.as_half else f"[{low}, {high}]"

    def _cell(self, i: int, j: int) -> Any:
        cell = self.cells.iat[i, j]
        return cell.value if isinstance(cell, Quantity) else cell

    def _digits(self, i: int, j: int) -> int:
        column, row = self.cells.columns[j], self.cells.index[i]
        for title in (column, row[-1] if isinstance(row, tuple) else row):
            if title in self.digits:
                return self.digits[title]
        return max((_needed(self._cell(row, j)) for row in self._rows), default=LEAST_DIGITS)

    def _decimals_of(self, j: int) -> list[int]:
        return [_decimals(self._texts(i, j)[0]) for i in self._rows]

    def _is_number(self, j: int) -> bool:
        return any(_is_number(self._cell(i, j)) for i in self._rows)

    def _is_uncertain(self, j: int) -> bool:
        return any(self._texts(i, j)[1] for i in self._rows)


def _parts(cell: Any) -> dict[str, Any]:
    """The numbers of a cell, by what a column's title gets for them."""
    match cell:
        case Estimate():
            return {"": cell.value, "low": cell.low, "high": cell.high}
        case Spread():
            return {"": cell.mean, "deviation": cell.deviation}
        case Range():
            return {"lowest": cell.low, "highest": cell.high}
        case Printed():
            return {"": cell.value}
        case Excerpt():
            return {"": f"{cell.before}[{cell.token}]{cell.after}"}
    return {"": cell}


def _needed(cell: Any) -> int:
    """Decimals with which nothing that is something reads as zero: a width, or the end of a difference's interval."""
    match cell:
        case Difference() if cell.low < cell.high:
            numbers = [cell.low, cell.high]
        case Estimate() if cell.low < cell.high:
            numbers = [(cell.high - cell.low) / 2]
        case Spread() if cell.deviation > 0:
            numbers = [cell.deviation]
        case _:
            return LEAST_DIGITS
    shown = (d for d in range(LEAST_DIGITS, MOST_DIGITS) if all(round(number, d) for number in numbers if number))
    return next(shown, MOST_DIGITS)


def _decimals(text: str) -> int:
    return len(text.rpartition(".")[2]) if "." in text else 0


def _lacking(has: int, needs: int) -> str:
    """What a number lacks to end where the longest of its column does, for the style sheet to leave room for."""
    lacks = ("" if has else ".") + "0" * (needs - has)
    return f' data-lacks="{lacks}"' if needs > has else ""


def _is_number(cell: Any) -> bool:
    return not isinstance(cell, str | Excerpt)


def _kind(is_number: bool) -> str:
    return "number" if is_number else "words"


def _over(columns: int) -> str:
    return f' colspan="{columns}"' if columns > 1 else ""
