"""Contexts of an atlas in words.

A word is a run of tokens that neither space nor punctuation parts: a token continues the one before it if a letter or
digit stands on both sides. An apostrophe before a letter begins no new word. Tokens that share a character (see
`pieces`) are never parted. In a script that puts no spaces between words, as Chinese or Thai, whatever a token spells
is a word.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from nbkit.atlas.snippets import display_token
from nbkit.atlas.visible import ZERO_WIDTH_JOINER, ZERO_WIDTH_NON_JOINER
from nbkit.features.spelling import Spelling
from nbkit.features.unspaced import UNSPACED
from nbkit.models.token_bytes import LONE

SPACE = re.compile(r"[\s\x85\ufeff]+")
"""What JavaScript and Python, taken together, know as whitespace."""
SPACE_SIGN = "␣"
JOINERS = ZERO_WIDTH_NON_JOINER + ZERO_WIDTH_JOINER
VOWEL_SIGNS = "\u064b-\u0652\u0670\u0640\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
OPTIONAL = re.compile(f"[{ZERO_WIDTH_NON_JOINER}\ufe0e\ufe0f{VOWEL_SIGNS}]|(?<=i)\u0307")
"""What some write and others don't: a non-joiner, the choice between a sign as text and as emoji, Arabic and Hebrew
vowel signs, and the dot that the lower case of the Turkish İ keeps."""


def normalized(text: str) -> str:
    """Lower case, composed, single spaces, invisible characters made visible; text of spaces alone is empty.

    Two ways to write a word are one: as `normalized` of phrase-search.js, which reads what is searched.
    """
    shown = display_token(SPACE.sub(" ", text).strip().lower())
    return unicodedata.normalize("NFC", OPTIONAL.sub("", shown))


@dataclass(frozen=True, eq=False)
class Words:
    """The words of some contexts, numbered in order."""

    strings: list[str]
    """The normalized texts of tokens and words; what is blank as its display string."""
    token: Int[np.ndarray, "n_contexts length"]
    """For each token the place in `strings` of what it spells, by itself or with those that it shares a character
    with."""
    number: Int[np.ndarray, "n_contexts length"]
    """The word of each token."""
    text: Int[np.ndarray, " n_words"]
    """For each word its place in `strings`."""
    before: Int[np.ndarray, " n_words"]
    """The last word before it in its context that is not blank (spaces, or bytes alone); -1 if there is none, and of a
    blank word."""
    after: Int[np.ndarray, " n_words"]
    """The first word behind it in its context that is not blank; -1 if there is none, and of a blank word."""
    spaced: Bool[np.ndarray, " n_words"]
    """Whether a space stands before it."""


def words_of(spelling: Spelling) -> Words:
    """Divide contexts of an atlas into words."""
    texts = [*spelling.texts, ""]
    tokens = np.where(spelling.goes_on, len(texts) - 1, spelling.tokens)  # what goes on has been read already
    begins, spaced = _boundaries(spelling)
    start = np.flatnonzero(begins)

    strings: dict[str, int] = {}

    def place(text: str) -> int:
        return strings.setdefault(normalized(text) or display_token(text).strip() or SPACE_SIGN, len(strings))

    of_token = np.array([place(text) for text in texts])
    text = np.empty(len(start), dtype=np.int64)
    blank = np.empty(len(start), dtype=bool)
    length = np.diff(start, append=tokens.size)
    for n in np.unique(length):
        same = np.flatnonzero(length == n)
        spelled, which = np.unique(tokens.ravel()[start[same, None] + np.arange(n)], axis=0, return_inverse=True)
        words = ["".join(texts[token] for token in row) for row in spelled]
        text[same] = np.array([place(word) for word in words])[which.ravel()]
        blank[same] = np.array([not normalized(LONE.sub("", word)) for word in words])[which.ravel()]
    number = (begins.ravel().cumsum() - 1).reshape(tokens.shape)
    before, after = _neighbors(start // tokens.shape[1], blank)
    return Words(list(strings), of_token[spelling.tokens], number, text, before, after, spaced.ravel()[start])


def _boundaries(
    spelling: Spelling,
) -> tuple[Bool[np.ndarray, "n_contexts length"], Bool[np.ndarray, "n_contexts length"]]:
    """Whether each token begins a word, and whether a space stands before it."""
    texts, tokens = spelling.texts, spelling.tokens
    continues = np.array([_joins(text[:1]) or (text[:1] in ("'", "’") and _joins(text[1:2])) for text in texts])
    open_ended = np.array([_joins(text.rstrip(JOINERS)[-1:]) for text in texts])
    space_first = np.array([text[:1].isspace() for text in texts])
    space_last = np.array([text[-1:].isspace() for text in texts])
    begins, spaced = np.ones(tokens.shape, dtype=bool), space_first[tokens]
    begins[:, 1:] = ~(open_ended[tokens[:, :-1]] & continues[tokens[:, 1:]])
    spaced[:, 1:] |= space_last[tokens[:, :-1]]
    return begins & ~spelling.goes_on, spaced


def _joins(char: str) -> bool:
    """Whether a character goes on in one word with a letter beside it."""
    if UNSPACED.match(char):
        return False
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
