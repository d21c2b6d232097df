"""What all figures share: the style, the kind of figure, names and headings."""

import base64
from collections.abc import Callable, Mapping
from functools import wraps
from html import escape
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure

from nbkit.figures.dark import darkened
from nbkit.figures.data_link import data_link
from nbkit.method.metrics import METRIC_TITLES, METRIC_UNITS

STYLE = Path(__file__).with_name("book.mplstyle")
WIDTH = 7.0  # inches

SHOWN_AT = 100
"""Pixels on a page for an inch."""
SWITCH = (
    ".nbkit-figure img {max-width: 100%; height: auto} .nbkit-figure .nbkit-dark {display: none} "
    ':is(html[data-theme="dark"], body[data-jp-theme-light="false"]) .nbkit-figure .nbkit-light {display: none} '
    ':is(html[data-theme="dark"], body[data-jp-theme-light="false"]) .nbkit-figure .nbkit-dark {display: block}'
)
"""Lets the theme of the book or of JupyterLab choose a picture."""

P = ParamSpec("P")
R = TypeVar("R")


class BookFigure(Figure):
    """A figure that a notebook shows without pyplot, which would keep it open and draw it again.

    It is shown in both palettes, and the page chooses: by the theme of the book or of JupyterLab.
    """

    shows: str = ""
    """What it shows, for those who don't see it: a sentence."""
    heading: str = ""
    """Its one message, in words."""

    name: str = "figure"
    """Of the function that drew it, as a file's name."""
    data: Mapping[str, pd.DataFrame] = MappingProxyType({})
    """What it shows, in numbers; by what each table holds, "" if it is the only one."""

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        light = self._png()
        with darkened(self):
            dark = self._png()
        return {"image/png": light, "text/html": self._html(light, dark)}

    def _html(self, light: bytes, dark: bytes) -> str:
        alt = escape(" ".join(filter(None, (self.shows, self.heading))))
        width, height = (round(SHOWN_AT * inches) for inches in self.get_size_inches())
        pictures = [
            f'<img class="nbkit-{theme}" alt="{alt}" width="{width}" height="{height}" loading="lazy" '
            f'src="data:image/png;base64,{base64.b64encode(png).decode()}">'
            for theme, png in (("light", light), ("dark", dark))
        ]
        shown = f'<div class="nbkit-figure">{"".join(pictures)}</div>'
        return f"<style>{SWITCH}</style>{shown}{data_link(self.data, self.name)}"

    def _png(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png", facecolor=self.get_facecolor())
        return buffer.getvalue()


def styled(shows: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Draw in the book's style, whatever the reader's own settings are, and leave those as they were.

    Args:
        shows: what the figure shows, for those who don't see it: a sentence.
    """

    def of(draw: Callable[P, R]) -> Callable[P, R]:
        @wraps(draw)
        def in_style(*args: P.args, **kwargs: P.kwargs) -> R:
            with matplotlib.style.context(STYLE, after_reset=True):
                figure = draw(*args, **kwargs)
            if isinstance(figure, BookFigure):
                figure.shows = shows
                figure.name = draw.__name__.replace("_", "-")
            return figure

        return in_style

    return of


def metric_label(metric: str) -> str:
    """A metric as an axis names it: its title, with its unit if it has one."""
    title, unit = METRIC_TITLES[metric], METRIC_UNITS.get(metric)
    return f"{title} ({unit})" if unit else title


def set_heading(figure: BookFigure, text: str) -> None:
    """The figure's one message, above its panels, flush left as the titles of single panels."""
    figure.heading = text
    figure.suptitle(text, x=0.01, ha="left", size=9.5, weight="bold", parse_math=False)


def count(n: int, noun: str) -> str:
    """`1 example`, `2 examples`."""
    return f"{n} {noun}{'' if n == 1 else 's'}"
