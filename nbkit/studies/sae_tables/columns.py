"""The columns of Tables 2 and 3 and of their controls: what they are called, and how a figure is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from nbkit.studies.shared.estimate import Spread
from nbkit.studies.shared.paper import PAPER_COLUMNS, PAPER_DIGITS
from nbkit.studies.shared.table import BookTable, Printed


class TableColumn(NamedTuple):
    """How a figure is called and written."""

    title: str
    digits: int
    """Decimals here, where a deviation over seeds says how much they are worth."""


TABLE_COLUMNS = {
    "mse": TableColumn("MSE", 3),
    "l1": TableColumn("L1", 0),
    "l0": TableColumn("L0 / %", 2),
    "accuracy_loss": TableColumn("acc. loss / %", 2),
    "max_distance": TableColumn("max dist", 3),
    "mean_distance": TableColumn("mean dist", 3),
    "size": TableColumn("size", 1),
    "dead": TableColumn("dead / %", 1),
    "dead_strict": TableColumn("never active / %", 1),
    "max_other": TableColumn("max dist, another latent's weights", 3),
    "mean_other": TableColumn("mean dist, another latent's weights", 3),
    "mean_random": TableColumn("mean dist, random images", 3),
    "participation": TableColumn("hidden neurons read", 1),
}


def short_title(column: str) -> str:
    """A title without its unit."""
    return TABLE_COLUMNS[column].title.removesuffix(" / %")


def short_titles(columns: Sequence[str]) -> tuple[str, ...]:
    """Titles without their units."""
    return tuple(map(short_title, columns))


def as_printed(figures: Mapping[str, float], columns: Sequence[str] = PAPER_COLUMNS) -> dict[str, Printed]:
    """Figures with the paper's decimals, by title."""
    return {TABLE_COLUMNS[c].title: Printed(figures[c], max(PAPER_DIGITS[c], 0)) for c in columns}


def as_measured(rows: pd.DataFrame, columns: Sequence[str]) -> dict[str, Spread]:
    """Figures as mean and standard deviation over seeds, by title."""
    return {TABLE_COLUMNS[c].title: Spread.of(rows[c]) for c in columns}


def quantity_name(row: str, column: str) -> str:
    """What a figure of Tables 2 and 3 is called wherever it stands."""
    return f"{short_title(column)}, {row} row of Tables 2 and 3"


def book_table(name: str, rows: Mapping[str, Mapping[str, object]]) -> BookTable:
    """A table of rows by their titles, its columns with the decimals that they have here."""
    digits = {column.title: column.digits for column in TABLE_COLUMNS.values()}
    return BookTable(name, pd.DataFrame.from_dict(dict(rows), orient="index", dtype=object), digits)
