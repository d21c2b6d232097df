"""The numbers of a figure or table as CSV, one click below it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape

import pandas as pd


def data_link(data: Mapping[str, pd.DataFrame], name: str, of: str = "figure") -> str:
    """HTML that lets a reader download tables; it needs no server, so that it works in JupyterLab and in a file.

    Args:
        data: the tables, by what each holds: the words of its link, and a part of its file's name. A single one may
            have none, "".
        name: of the files, without their ending.
        of: what the data are of.

    Returns:
        One line of links; empty if there are no tables.
    """
    links = []
    for held, table in data.items():
        file = "-".join([name, *held.split()]) + ".csv"
        encoded = base64.b64encode(as_csv(table).encode()).decode()
        words = held or f"Data of this {of}"
        links.append(f'<a download="{escape(file)}" href="data:text/csv;base64,{encoded}">{escape(words)} (CSV)</a>')
    if not links:
        return ""
    lead = "" if "" in data else f"Data of this {of}: "
    return f'<p class="nbkit-data">{lead}{", ".join(links)}</p>'


def as_csv(table: pd.DataFrame) -> str:
    """A table as CSV: a header, a line a row, six significant digits, what is undefined left empty."""
    return table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
