"""The contexts of an atlas in words.

A word is a run of tokens that neither space nor punctuation parts: a token continues the one before it if a letter or
digit stands on both sides. An apostrophe before a letter begins no new word.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.snippets import display_token

SPACE = re.compile(r"[\s\x85\ufeff]+")
"""What JavaScript and Python, taken together, know as whitespace."""
BLANK = "␣"


def normalized(text: str) -> str:
    """Lower case, single spaces, invisible characters made visible; text of spaces alone is empty."""
    return display_token(SPACE.sub(" ", text).strip().lower())


@dataclass(frozen=True, eq=False)
class Words:
    """The words of all contexts, numbered in order."""

    strings: list[str]
    """The normalized texts of tokens and words; what is blank as its display string."""
    of_token: Int[np.ndarray, " n_ids"]
    """For each token id its place in `strings`."""
    number: Int[np.ndarray, "n_contexts length"]
    """The word of each token."""
    text: Int[np.ndarray, " n_words"]
    """For each word its place in `strings`."""
    before: Int[np.ndarray, " n_words"]
    """The last word before it in its context that is not blank; -1 if there is none. Of a blank word, -1."""
    after: Int[np.ndarray, " n_words"]
    """The first word behind it in its context that is not blank; -1 if there is none. Of a blank word, -1."""
    spaced: Bool[np.ndarray, " n_words"]
    """Whether a space stands before it."""


def words_of(atlas: Atlas) -> Words:
    """Divide the contexts of an atlas into words."""
    table = atlas.vocabulary
    texts = [""] * (int(table["id"].max()) + 1)
    for token, text in zip(table["id"], table["text"], strict=True):
        texts[token] = text
    tokens, n_tokens = atlas.tokens, atlas.tokens.shape[1]
    begins, spaced = _boundaries(texts, tokens)
    start = np.flatnonzero(begins)

    strings: dict[str, int] = {}

    def place(text: str) -> int:
        return strings.setdefault(normalized(text) or display_token(text).strip() or BLANK, len(strings))

    of_token = np.array([place(text) for text in texts])
    text = np.empty(len(start), dtype=np.int64)
    blank = np.empty(len(start), dtype=bool)
    length = np.diff(start, append=tokens.size)
    for n in np.unique(length):
        same = np.flatnonzero(length == n)
        spelled, which = np.unique(tokens.ravel()[start[same, None] + np.arange(n)], axis=0, return_inverse=True)
        words = ["".join(texts[token] for token in row) for row in spelled]
        text[same] = np.array([place(word) for word in words])[which.ravel()]
        blank[same] = np.array([not normalized(word) for word in words])[which.ravel()]
    number = (begins.ravel().cumsum() - 1).reshape(tokens.shape)
    before, after = _neighbors(start // n_tokens, blank)
    return Words(list(strings), of_token, number, text, before, after, spaced.ravel()[start])


def _boundaries(
    texts: list[str], tokens: Int[np.ndarray, "n_contexts length"]
) -> tuple[Bool[np.ndarray, "n_contexts length"], Bool[np.ndarray, "n_contexts length"]]:
    """Whether each token begins a word, and whether a space stands before it."""
    continues = np.array([_is_letter(text[:1]) or (text[:1] in ("'", "’") and _is_letter(text[1:2])) for text in texts])
    open_ended = np.array([_is_letter(text[-1:]) for text in texts])
    space_first = np.array([text[:1].isspace() for text in texts])
    space_last = np.array([text[-1:].isspace() for text in texts])
    begins, spaced = np.ones(tokens.shape, dtype=bool), space_first[tokens]
    begins[:, 1:] = ~(open_ended[tokens[:, :-1]] & continues[tokens[:, 1:]])
    spaced[:, 1:] |= space_last[tokens[:, :-1]]
    return begins, spaced


def _is_letter(char: str) -> bool:
    return char.isalnum() or (char != "" and unicodedata.category(char).startswith("M"))  # marks belong to letters


def _neighbors(
    context: Int[np.ndarray, " n_words"], blank: Bool[np.ndarray, " n_words"]
) -> tuple[Int[np.ndarray, " n_words"], Int[np.ndarray, " n_words"]]:
    before, after = np.full(len(blank), -1), np.full(len(blank), -1)
    shown = np.flatnonzero(~blank)
    together = context[shown[:-1]] == context[shown[1:]]
    before[shown[1:][together]] = shown[:-1][together]
    after[shown[:-1][together]] = shown[1:][together]
    return before, after
