"""The text around a dataset example's key token, as display strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from nbkit.atlas.pieces import pieces
from nbkit.atlas.visible import visible_characters
from nbkit.models.sign import Sign, strength


@dataclass(frozen=True)
class Snippet:
    """A dataset example for the eye: at most 20 tokens before its key token and 10 after.

    Tokens that share a character, as the parts of a Chinese one often do, are shown as one (see `pieces`).
    """

    tokens: tuple[str, ...]
    """Display strings, harmless in any renderer that escapes markup (see `display_token`)."""
    activations: tuple[float, ...]
    """The neuron's activation on each; of tokens that are shown as one the strongest, or the key token's."""
    key: int
    """Index of the key token."""
    context: int
    """Number of the context in the corpus."""
    position: int
    """Position of the key token in the context."""
    key_word: int = 0
    """Number of the key token's word (see `Atlas.words`): different tokens can look alike."""
    sign: Sign = "positive"
    """Which activations the neuron was looked at for."""

    @classmethod
    def of(
        cls,
        texts: Sequence[str],
        activations: Sequence[float],
        key: int,
        context: int,
        position: int,
        key_word: int = 0,
        sign: Sign = "positive",
    ) -> Snippet:
        """The snippet of tokens, given by their raw texts (see `token_bytes`), with the activation on each."""
        shown = pieces(texts, key)
        at = next(i for i, piece in enumerate(shown) if piece.first <= key <= piece.last)
        parts = [activations[piece.first : piece.last + 1] for piece in shown]
        values = [max(part, key=lambda activation: strength(activation, sign)) for part in parts]
        values[at] = activations[key]
        return cls(tuple(piece.text for piece in shown), tuple(values), at, context, position, key_word, sign)

    @property
    def strengths(self) -> tuple[float, ...]:
        """How much the activation on each counts (see `nbkit.models.sign`)."""
        return tuple(strength(activation, self.sign) for activation in self.activations)

    @property
    def key_token(self) -> str:
        return self.tokens[self.key]

    def __str__(self) -> str:
        before, after = "".join(self.tokens[: self.key]), "".join(self.tokens[self.key + 1 :])
        return f"{before}[{self.key_token}]{after}"


@lru_cache(maxsize=2**17)  # tokens recur, and few of a large vocabulary are shown
def display_token(text: str) -> str:
    """A raw text (see `token_bytes`) by itself, what is invisible in it made visible (see `visible_characters`)."""
    return "".join(visible_characters(text))


TOKENS_BEFORE = 20


TOKENS_AFTER = 10


WINDOW = TOKENS_BEFORE + 1 + TOKENS_AFTER
