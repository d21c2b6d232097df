"""Characters that nobody sees, made visible, so that none can hide or reorder the text around it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import regex

NEWLINE = "↵"
TAB = "→"
ZERO_WIDTH_NON_JOINER, ZERO_WIDTH_JOINER = "\u200c", "\u200d"
DOTTED_CIRCLE = "◌"
BLACK_FLAG, CANCEL_TAG = "\U0001f3f4", "\U000e007f"
SHOWN_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
"""Signs around Arabic, Syriac and Kaithi numbers: they are format characters and have a shape."""
FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
"""Letters without a shape, which stand for a missing part of a Korean syllable."""
JAMO = regex.compile("[\u1100-\u115e\u1161-\u11ff]")
VARIATION = regex.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Selects one of the shapes of the character before it; several in a row could carry a message."""
JOINED = regex.compile(
    r"[\p{scx=Arabic}\p{scx=Syriac}\p{scx=Nko}\p{scx=Mongolian}\p{scx=Devanagari}\p{scx=Bengali}\p{scx=Gurmukhi}"
    r"\p{scx=Gujarati}\p{scx=Oriya}\p{scx=Tamil}\p{scx=Telugu}\p{scx=Kannada}\p{scx=Malayalam}\p{scx=Sinhala}"
    r"\p{scx=Myanmar}\p{scx=Khmer}&&[\p{L}\p{M}]]",
    regex.V1,
)
"""Letters and marks whose joining a zero-width non-joiner prevents; as in visible.js."""


def visible_characters(characters: Sequence[str]) -> list[str]:
    """What is shown of each character of a text.

    Newlines and tabs become arrows, other control characters their Unicode control picture, format characters
    (bidirectional marks, zero-width characters) and lone surrogates their code point in angle brackets, and the byte
    that a surrogate stands for in a raw text (see `token_bytes`) its two digits: ⟨E3⟩. Format characters that the
    text needs to look as it should stay: a zero-width joiner between visible characters, as in emoji; a non-joiner
    between letters of a script that joins them; the tags of a flag. So does a filler beside other parts of a Korean
    syllable, and the first of several variation selectors. A mark that nothing stands before which it could
    belong to gets a dotted circle.
    """
    kept = [not _hides(characters, i) for i in range(len(characters))]
    shown = [char if keep else _shown(char) for char, keep in zip(characters, kept, strict=True)]
    for i, char in enumerate(characters):
        if kept[i] and unicodedata.category(char).startswith("M") and not (i and kept[i - 1]):
            shown[i] = DOTTED_CIRCLE + char
    return shown


def is_hidden(char: str) -> bool:
    """Whether a character by itself has no shape, or is none."""
    category = unicodedata.category(char)
    return (category in ("Cc", "Cf", "Cs", "Zl", "Zp") and char not in SHOWN_FORMATS) or char in FILLERS


def _hides(characters: Sequence[str], i: int) -> bool:
    """Whether the text as it is shown lacks a character that is in it."""
    char = characters[i]
    if VARIATION.match(char):
        return i > 0 and VARIATION.match(characters[i - 1]) is not None
    return is_hidden(char) and not _is_needed(characters, i)


def _is_needed(characters: Sequence[str], i: int) -> bool:
    char = characters[i]
    if char in FILLERS:
        return any(map(JAMO.match, characters[max(0, i - 1) : i + 2]))
    if "\U000e0020" <= char <= CANCEL_TAG:
        return _in_flag(characters, i)
    if char not in (ZERO_WIDTH_JOINER, ZERO_WIDTH_NON_JOINER) or not 0 < i < len(characters) - 1:
        return False
    around = characters[i - 1], characters[i + 1]
    if char == ZERO_WIDTH_NON_JOINER:
        return all(map(JOINED.fullmatch, around))
    if around[0] == CANCEL_TAG and _in_flag(characters, i - 1):
        return not (around[1].isspace() or is_hidden(around[1]))
    return not any(other.isspace() or is_hidden(other) for other in around)


def _in_flag(characters: Sequence[str], i: int) -> bool:
    """Whether the tag at `i` belongs to a black flag, up to six tags and the one that ends them (as 🏴󠁧󠁢󠁳󠁣󠁴󠁿)."""
    start = i
    while start > 0 and i - start < 7 and "\U000e0020" <= characters[start] <= CANCEL_TAG:
        start -= 1
    tags = "".join(characters[start + 1 : start + 8])
    ends = tags.find(CANCEL_TAG)
    return characters[start] == BLACK_FLAG and ends > 0 and i - start - 1 <= ends and _are_tags(tags[:ends])


def _are_tags(text: str) -> bool:
    return all("\U000e0020" <= char < CANCEL_TAG for char in text)


def _shown(char: str) -> str:
    code = ord(char)
    if char == "\n":
        return NEWLINE
    if char == "\t":
        return TAB
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if 0xDC80 <= code <= 0xDCFF:
        return f"⟨{code & 0xFF:02X}⟩"
    return f"⟨U+{code:04X}⟩"
