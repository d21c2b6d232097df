"""What all figures share: the style, the kind of figure, names and headings."""

import base64
from collections.abc import Callable, Mapping
from functools import wraps
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import ParamSpec, TypeVar

import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure

from nbkit.atlas.examples import HasExamples
from nbkit.figures.data_link import data_link
from nbkit.method.metrics import METRIC_TITLES, METRIC_UNITS

STYLE = Path(__file__).with_name("book.mplstyle")
WIDTH = 7.0  # inches

P = ParamSpec("P")
R = TypeVar("R")


class BookFigure(Figure):
    """A figure that a notebook shows without pyplot, which would keep it open and draw it again."""

    name: str = "figure"
    """Of the function that drew it, as a file's name."""
    data: Mapping[str, pd.DataFrame] = MappingProxyType({})
    """What it shows, in numbers; by what each table holds, "" if it is the only one."""

    def _repr_html_(self) -> str:
        image = base64.b64encode(self._repr_png_()).decode()
        return f'<img alt="" src="data:image/png;base64,{image}">{self._data_html()}'

    def _data_html(self) -> str:
        return data_link(self.data, self.name)

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw in the book's style, whatever the reader's own settings are, and leave those as they were."""

    @wraps(draw)
    def in_style(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.style.context(STYLE, after_reset=True):
            figure = draw(*args, **kwargs)
        if isinstance(figure, BookFigure):
            figure.name = draw.__name__.replace("_", "-")
        return figure

    return in_style


def neuron_name(neuron: HasExamples) -> str:
    """The neuron as titles name it."""
    return f"Layer {neuron.layer}, neuron {neuron.index}"


def metric_label(metric: str) -> str:
    """A metric as an axis names it: its title, with its unit if it has one."""
    title, unit = METRIC_TITLES[metric], METRIC_UNITS.get(metric)
    return f"{title} ({unit})" if unit else title


def set_heading(figure: Figure, text: str) -> None:
    """The figure's one message, above its panels, flush left as the titles of single panels."""
    figure.suptitle(text, x=0.01, ha="left", size=9.5, weight="bold", parse_math=False)


def count(n: int, noun: str) -> str:
    """`1 example`, `2 examples`."""
    return f"{n} {noun}{'' if n == 1 else 's'}"
