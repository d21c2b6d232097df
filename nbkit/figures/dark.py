"""A figure as a dark page shows it: every color of the light palette becomes the dark palette's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_hex, to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text

from nbkit.figures.palette import ON_DARK

COLORED = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")
MAPS = {
    "gray_r": "gray",
    "signed": LinearSegmentedColormap.from_list("signed on dark", ["#6cb8f0", "#121212", "#f2935c"]),
    "PiYG": LinearSegmentedColormap.from_list("PiYG on dark", ["#f288b5", "#121212", "#b5d05a"]),
}
"""The color maps whose middle or lower end is the page: what they are on a dark one. The others show on both."""


@contextmanager
def darkened(figure: Figure) -> Iterator[None]:
    """Within it, a figure that has been drawn in the light palette has the dark one's colors, and keeps its layout.

    Colors of no palette stay as they are: what a reader has added in red is red on both pages.
    """
    with ExitStack() as undo:
        undo.callback(figure.set_layout_engine, figure.get_layout_engine())
        figure.set_layout_engine("none")  # laid out anew, a figure moves a little
        for artist in _artists(figure):
            _swap_colors(artist, undo)
        yield


def _artists(figure: Figure) -> list[Artist]:
    found = figure.findobj()
    boxes = [text.get_bbox_patch() for text in found if isinstance(text, Text)]  # no children of their texts
    return [*found, *(box for box in boxes if box is not None)]


def _swap_colors(artist: Artist, undo: ExitStack) -> None:
    if isinstance(artist, ScalarMappable) and artist.get_array() is not None:
        cmap: Colormap = artist.get_cmap()
        if cmap.name in MAPS:
            _set(artist.set_cmap, cmap, MAPS[cmap.name], undo)
        return
    for name in COLORED:
        # a text has a color only; asked for more, some artists answer with aliases of it
        get, put = getattr(artist, f"get_{name}", None), getattr(artist, f"set_{name}", None)
        if get is None or put is None:
            continue
        old = get()
        several = isinstance(old, np.ndarray) and old.ndim == 2
        light = list(old) if several else [old]
        dark = [on_dark(color) for color in light]
        # to set a color that stays would show one that is invisible in a half-transparent artist
        if any(was is not becomes for was, becomes in zip(light, dark, strict=True)):
            _set(put, old, dark if several else dark[0], undo)


def _set(put: Callable[[Any], object], old: object, new: object, undo: ExitStack) -> None:
    put(new)
    undo.callback(put, old)


def on_dark(color: Any) -> Any:
    """What a color of the light palette is on a dark page, as opaque as it was; any other color as it is.

    Args:
        color: as matplotlib takes it.
    """
    rgba = to_rgba(color)
    dark = ON_DARK.get(to_hex(rgba))
    return color if dark is None or rgba[3] == 0 else to_rgba(dark, rgba[3])
