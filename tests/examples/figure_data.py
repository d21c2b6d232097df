"""The data of a figure, read back from the link that its reader clicks."""

from __future__ import annotations

import base64
import io

import pandas as pd
import regex
from matplotlib.figure import Figure

from nbkit.figures.style import BookFigure

LINK = regex.compile(r'<a download="([^"]+)" href="data:text/csv;base64,([^"]+)">([^<]+)</a>')


def data_of(figure: Figure, held: str = "") -> pd.DataFrame:
    """The data that a reader gets, read back from the link."""
    assert isinstance(figure, BookFigure)
    links = {words: (file, code) for file, code, words in LINK.findall(figure._repr_mimebundle_()["text/html"])}
    file, code = links[f"{held or 'Data of this figure'} (CSV)"]
    assert file == "-".join([figure.name, *held.split()]) + ".csv"
    return pd.read_csv(io.BytesIO(base64.b64decode(code)), keep_default_na=False, na_values=[""])
