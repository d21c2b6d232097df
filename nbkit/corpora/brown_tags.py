"""The tags of the Brown corpus, and where the tagged words stand in its text.

Detokenizing changes words and moves quotes, so each word is looked for a little further on than the one before it; one
that stands nowhere near is counted and gets no place. Words are looked at, not punctuation, whose tags say nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from nbkit.corpora.brown import detokenize

GENRES = {
    "a": "news",
    "b": "editorial",
    "c": "reviews",
    "d": "religion",
    "e": "hobbies",
    "f": "lore",
    "g": "belles lettres",
    "h": "government",
    "j": "learned",
    "k": "fiction",
    "l": "mystery",
    "m": "science fiction",
    "n": "adventure",
    "p": "romance",
    "r": "humor",
}
"""What the second letter of a text's name says."""
MOST_BETWEEN = 4
"""Characters that may stand between two words beside what was tagged there: spaces, and quotes that moved."""
_MARKS = re.compile(r"(?:-(?:hl|tl|nc|t))+$")
_WORD = re.compile(r"[^\W_]")


class TaggedWord(NamedTuple):
    """A word of the text, with what Brown says of it."""

    word: str
    """How it was tagged and stands in the text."""
    tag: str
    """Part of speech, such as `nn` or `vbd`, without the marks of headings (`-hl`), titles (`-tl`) and cited words
    (`-nc`); foreign words begin with `fw-`."""
    start: int
    """Its first character in the text."""
    end: int
    """The one behind its last."""
    place: int
    """How many words its sentence has before it."""
    left: int
    """How many behind it."""
    quoted: bool
    """Inside double quotes."""
    in_parentheses: bool
    in_heading: bool
    in_title: bool
    """A part of a name or title, as in "Fulton County"."""


@dataclass(frozen=True)
class TaggedText:
    """One text of Brown with its tags."""

    text: str
    """What `brown_texts` gives."""
    genre: str
    words: tuple[TaggedWord, ...]
    """Words that were found in the text, in order."""
    lost: int
    """Words that were not, since detokenizing changes them."""


def tagged_text(tagged: str, genre: str = "") -> TaggedText:
    """Find the words of one tagged text in its detokenized form.

    Args:
        tagged: `word/tag` tokens, a sentence a line.
        genre: what it is called.
    """
    text = detokenize(tagged)
    words: list[TaggedWord] = []
    lost, cursor, reach = 0, 0, MOST_BETWEEN
    quoted, parentheses, before = False, 0, ""
    for line in tagged.split("\n"):
        sentence = [_parsed(token) for token in line.split()]
        if not sentence and before != "``":  # a paragraph ends, and with it what was left open
            quoted, parentheses = False, 0
        place, left = 0, sum(is_word for _, _, is_word, _, _ in sentence)
        for word, tag, is_word, in_heading, in_title in sentence:
            before = word
            reach += len(word) + 1
            if not is_word:
                quoted = word == "``" or (quoted and word != "''")
                parentheses = max(0, parentheses + (word in "([") - (word in ")]"))
                continue
            left -= 1
            start = _find(text, word, cursor, cursor + reach)
            if start < 0:
                lost += 1
            else:
                cursor, reach = start + len(word), MOST_BETWEEN
                flags = quoted, parentheses > 0, in_heading, in_title
                words.append(TaggedWord(word, tag, start, cursor, place, left, *flags))
            place += 1
    return TaggedText(text, genre, tuple(words), lost)


@lru_cache(maxsize=2**17)  # tokens recur
def _parsed(token: str) -> tuple[str, str, bool, bool, bool]:
    """The word and tag of a token, whether it holds a letter or digit, and whether it is of a heading or title."""
    word, _, tag = token.rpartition("/")
    return word, _MARKS.sub("", tag), _WORD.search(word) is not None, "-hl" in tag, "-tl" in tag


def _find(text: str, word: str, start: int, stop: int) -> int:
    """The first place in a part of the text where a word stands by itself, not in a longer one; -1 if there is none."""
    at = text.find(word, start, stop)
    while at >= 0:
        end = at + len(word)
        if not (at and text[at - 1].isalnum()) and not text[end : end + 1].isalnum():
            return at
        at = text.find(word, at + 1, stop)
    return -1
