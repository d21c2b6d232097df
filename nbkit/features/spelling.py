"""The contexts of an atlas token by token, with tokens that share a character taken for one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import regex
from jaxtyping import Bool, Int

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.pieces import pieces
from nbkit.models.token_bytes import raw_text

_SHARING = regex.compile(
    "[\udc80-\udcff\\p{M}\\p{Cf}\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7fb\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff]"
)
"""What can be a part of a character: bytes, marks, joiners, parts of Korean syllables and flags, skin tones."""


@dataclass(frozen=True, eq=False)
class Spelling:
    """What the tokens of some contexts spell."""

    texts: list[str]
    """Texts of tokens, and of tokens taken together; what is part of no whole character stays as in a raw text (see
    `token_bytes`)."""
    tokens: Int[np.ndarray, "n_contexts length"]
    """For each token the place in `texts` of what it spells, by itself or with others."""
    goes_on: Bool[np.ndarray, "n_contexts length"]
    """Whether a token is taken together with the one before it."""


def spelling_of(atlas: Atlas, contexts: Int[np.ndarray, " n_contexts"]) -> Spelling:
    """Take together the tokens that share a character (see `pieces`) in some contexts of an atlas."""
    raw = atlas.raw_texts
    texts = [raw.get(token, "") for token in range(max(raw) + 1)]
    tokens = atlas.tokens[contexts].astype(np.int64)
    goes_on = np.zeros(tokens.shape, dtype=bool)
    shares = np.array([not text.isascii() and _SHARING.search(text) is not None for text in texts])
    places: dict[str, int] = {}
    for row in np.flatnonzero(shares[tokens].any(axis=1)):
        of_row = [texts[token] for token in tokens[row]]
        for first, last in _together(of_row):
            text = "".join(of_row[first : last + 1])
            if text not in places:
                places[text] = len(texts)
                texts.append(raw_text(text.encode("utf-8", "surrogateescape")))
            tokens[row, first : last + 1] = places[text]
            goes_on[row, first + 1 : last + 1] = True
    return Spelling(texts, tokens, goes_on)


def _together(texts: list[str]) -> list[tuple[int, int]]:
    """First and last of the tokens that share characters, for each run of such."""
    found: list[tuple[int, int]] = []
    for piece in pieces(texts, key=-1):
        if piece.first == piece.last:
            continue
        if found and piece.first <= found[-1][1]:
            found[-1] = found[-1][0], piece.last
        else:
            found.append((piece.first, piece.last))
    return found
