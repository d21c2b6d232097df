"""The fonts of this machine that have the characters of a text: the book's own has no Chinese, Hindi or emoji."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from matplotlib.font_manager import FontEntry, FontProperties, findfont, fontManager, get_font
from matplotlib.ft2font import FT2Font

FONT = "DejaVu Sans"
BOXES = ("lastresort", "last resort", "adobe blank")
"""Fonts that show every character as a box."""


def font_of(char: str) -> str | None:
    """The family that shows a character: the book's own if it has it, else the first of the others; None if none has.

    Of the others come first those made to go together (Noto Sans), then all in the order of their names.
    """
    return FONT if has(FONT, char) else _other_font(char)


def families_of(text: str) -> list[str]:
    """The families that show a text, the book's own first."""
    found = (font_of(char) for char in text)
    return list(dict.fromkeys([FONT, *(family for family in found if family)]))


def has(family: str, char: str) -> bool:
    """Whether a family has a glyph for a character."""
    return opened(family).get_char_index(ord(char)) != 0


def opened(family: str) -> FT2Font:
    """The regular face of a family."""
    return get_font(findfont(FontProperties(family=family)))


@cache
def _other_font(char: str) -> str | None:
    return next((family for family, known in _known() if ord(char) in known), None)


@cache
def _others() -> tuple[FontEntry, ...]:
    regular = {
        entry.name: entry
        for entry in fontManager.ttflist
        if (entry.style, entry.weight, entry.stretch) == ("normal", 400, "normal")
        and not entry.name.lower().startswith(BOXES)
    }
    names = sorted(regular, key=lambda name: (not name.startswith("Noto Sans"), name))
    return tuple(regular[name] for name in names)


def _known() -> Iterator[tuple[str, frozenset[int]]]:
    """Every other family with the code points that it has; read when they are asked for."""
    for entry in _others():
        yield entry.name, _characters_of(entry.name)


@cache
def _characters_of(family: str) -> frozenset[int]:
    """What a family has; nothing of one whose glyphs are pictures of one size, as those of colored emoji."""
    try:
        font = opened(family)
    except (OSError, RuntimeError, ValueError):  # damaged, or of a kind that isn't read here
        return frozenset()
    return frozenset(font.get_charmap()) if font.scalable else frozenset()
