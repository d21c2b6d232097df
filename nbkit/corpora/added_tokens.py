"""What a tokenizer adds to a text of its own accord."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

from nbkit.errors import NbkitError


class AddedTokens(NamedTuple):
    """The ids of the tokens around each text."""

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()


def added_tokens(tokenizer: Any) -> AddedTokens:
    """The special tokens that the tokenizer itself puts before and after a text, seen by tokenizing one: none of
    them is taken from what it calls its BOS or EOS, which many tokenizers have and never add.

    Raises:
        NbkitError: if it puts tokens elsewhere, or makes no token of any text.
    """
    for text in _texts(tokenizer):
        alone = list(tokenizer(text, add_special_tokens=False)["input_ids"])
        if not alone or set(alone) & set(tokenizer.all_special_ids):
            continue
        whole = list(tokenizer(text, add_special_tokens=True)["input_ids"])
        for start in range(len(whole) - len(alone) + 1):
            if whole[start : start + len(alone)] == alone:
                return AddedTokens(tuple(whole[:start]), tuple(whole[start + len(alone) :]))
        raise NbkitError(
            f"the tokenizer makes tokens {whole} of {text!r} with special tokens, and {alone} without: it adds them "
            "neither before nor after the text, which nbkit can't follow"
        )
    raise NbkitError("the tokenizer makes only special tokens of every text that was tried: give the model's own")


def _texts(tokenizer: Any) -> Iterator[str]:
    yield "a"
    for token in islice(tokenizer.get_vocab(), 1000):
        yield tokenizer.convert_tokens_to_string([token])
