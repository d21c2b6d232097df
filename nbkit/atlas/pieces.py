"""A run of tokens as the characters that it spells, cut where both a token and a character end.

The same as `shared/pieces.js`, which does it in the browser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import regex

from nbkit.atlas.visible import visible_characters
from nbkit.models.token_bytes import raw_text

_RUN = re.compile("(?P<bytes>[\udc80-\udcff]+)|[^\udc80-\udcff]+")
_CLUSTER = regex.compile(r"\X")


@dataclass(frozen=True)
class Piece:
    """Characters that the same tokens spell."""

    text: str
    """How it is shown, see `display_token`."""
    first: int
    """The first token that has a part in it."""
    last: int
    """The last one."""


def pieces(texts: Sequence[str], key: int) -> list[Piece]:
    """What the tokens spell, as pieces in the order of the text.

    A token is a piece, unless it shares a character with another one: a character in the reader's sense, a letter with
    its marks, a conjunct, an emoji of several parts. Then the tokens that share it have one piece in common. All that
    the key token has a part in is one piece.

    Args:
        texts: the tokens' raw texts (see `token_bytes`), none of them empty.
        key: the place of the key token.
    """
    whole = "".join(texts)
    if whole.isascii() and whole.isprintable():  # no character is shared
        return [Piece(text, i, i) for i, text in enumerate(texts)]
    characters = list(_characters(texts))
    shown = visible_characters([char for char, _, _ in characters])
    owners = [owner for owner, text in enumerate(shown) for _ in text]  # of each shown code point its character
    found: list[Piece] = []
    for cluster in _CLUSTER.finditer("".join(shown)):
        _, first, _ = characters[owners[cluster.start()]]
        _, _, last = characters[owners[cluster.end() - 1]]
        before = found[-1] if found else None
        if before and ((before.first, before.last) == (first, last) or (_holds(before, key) and first <= key <= last)):
            found[-1] = Piece(before.text + cluster[0], before.first, max(before.last, last))
        else:
            found.append(Piece(cluster[0], first, last))
    return found


def _holds(piece: Piece, token: int) -> bool:
    return piece.first <= token <= piece.last


def _characters(texts: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """The code points that tokens spell, and lone bytes, each with the first and last token that has a part in it."""
    owner = [token for token, text in enumerate(texts) for _ in text]
    at = 0
    for run in _RUN.finditer("".join(texts)):
        of_bytes = run["bytes"] is not None
        for char in raw_text(run[0].encode("utf-8", "surrogateescape")) if of_bytes else run[0]:
            parts = len(char.encode("utf-8", "surrogateescape")) if of_bytes else 1
            yield char, owner[at], owner[at + parts - 1]
            at += parts
