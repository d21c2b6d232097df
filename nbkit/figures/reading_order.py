"""Where the tokens of a line stand that holds words of two directions, as the Unicode bidirectional algorithm puts
whole tokens (UAX #9, without its rules for numbers and brackets)."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import groupby

_MIRRORED = str.maketrans("()[]{}<>«»‹›⟨⟩", ")(][}{><»«›‹⟩⟨")


def reading_order(texts: Sequence[str]) -> tuple[list[tuple[int, bool]], bool]:
    """The tokens of a line from left to right, and whether the line is read from the right.

    Returns:
        For each place of the line the number of its token, and whether this is in a run that is read from the right
        (see `turned_around`).
    """
    directions = [_direction(text) for text in texts]
    leftward = sum(map(_letters_from_right, texts)) > sum(map(_letters_from_left, texts))
    base = "R" if leftward else "L"
    resolved = list(directions)
    for i, direction in enumerate(directions):
        if direction is None:
            before = next((d for d in reversed(directions[:i]) if d), base)
            after = next((d for d in directions[i:] if d), base)
            resolved[i] = before if before == after else base
    runs = [list(run) for _, run in groupby(range(len(texts)), key=lambda i: resolved[i])]
    if leftward:
        runs.reverse()
    order = [i for run in runs for i in (reversed(run) if resolved[run[0]] == "R" else run)]
    return [(i, resolved[i] == "R") for i in order], leftward


def turned_around(text: str) -> str:
    """A token as it is drawn in a run that is read from the right.

    Spaces before it stand on its right. Letters are put in order by whatever draws them; signs without a letter are
    here, their brackets turned around.
    """
    if _direction(text) is None:
        return text[::-1].translate(_MIRRORED)
    before, after = len(text) - len(text.lstrip()), len(text.rstrip())
    return text[after:] + text.strip() + text[:before]


def _direction(text: str) -> str | None:
    """That of most of a token's letters; None if it has none. A mark for a byte or a hidden character has one."""
    right, left = _letters_from_right(text), _letters_from_left(text)
    return None if right == left == 0 else "R" if right > left else "L"


def _letters_from_right(text: str) -> int:
    return sum(unicodedata.bidirectional(char) in ("R", "AL") for char in text)


def _letters_from_left(text: str) -> int:
    return sum(unicodedata.bidirectional(char) in ("L", "EN") for char in text)
