"""The text around a dataset example's key token, as display strings."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    pass

NEWLINE = "↵"
TAB = "→"


@dataclass(frozen=True)
class Snippet:
    """A dataset example for the eye: at most 20 tokens before its key token and 10 after."""

    tokens: tuple[str, ...]
    """Display strings, harmless in any renderer that escapes markup (see `display_token`)."""
    activations: tuple[float, ...]
    """The neuron's activation on each token."""
    key: int
    """Index of the key token."""
    context: int
    """Number of the context in the corpus."""
    position: int
    """Position of the key token in the context."""

    @property
    def key_token(self) -> str:
        return self.tokens[self.key]

    def __str__(self) -> str:
        before, after = "".join(self.tokens[: self.key]), "".join(self.tokens[self.key + 1 :])
        return f"{before}[{self.key_token}]{after}"


@lru_cache(maxsize=2**17)  # tokens recur, and few of a large vocabulary are shown
def display_token(text: str) -> str:
    """`text` with its invisible characters made visible.

    Newlines and tabs become arrows, other control characters their Unicode control picture, and format characters
    (bidirectional marks, zero-width characters) and lone surrogates their code point in angle brackets, so that a token
    can neither reorder nor hide its neighbors. A zero-width joiner between visible characters stays: emoji need it.
    """
    return "".join(char if _joins(text, i) else _visible(char) for i, char in enumerate(text))


def _joins(text: str, i: int) -> bool:
    """Whether `text[i]` is a zero-width joiner between two visible characters."""
    if text[i] != "\u200d" or not 0 < i < len(text) - 1:
        return False
    return not any(char.isspace() or _is_hidden(char) for char in (text[i - 1], text[i + 1]))


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _visible(char: str) -> str:
    code = ord(char)
    if char == "\n":
        return NEWLINE
    if char == "\t":
        return TAB
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if _is_hidden(char):
        return f"⟨U+{code:04X}⟩"
    return char


def token_texts(tokenizer: Any, ids: Iterable[int]) -> list[str]:
    """The text that each token adds behind another one, leading space included.

    Decoding a token by itself loses its leading space in some tokenizers, and its `##` in others; decoding it behind
    an anchor token tells both.
    """
    anchor = int(tokenizer("a", add_special_tokens=False)["input_ids"][0])
    options = {"clean_up_tokenization_spaces": False, "skip_special_tokens": False}
    start = len(tokenizer.decode([anchor], **options))
    return [text[start:] for text in tokenizer.batch_decode([[anchor, int(i)] for i in ids], **options)]


TOKENS_BEFORE = 20


TOKENS_AFTER = 10


WINDOW = TOKENS_BEFORE + 1 + TOKENS_AFTER
