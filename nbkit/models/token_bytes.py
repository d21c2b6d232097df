"""What the tokens of a vocabulary write: bytes, of which several tokens may make one character.

A token of a byte-level vocabulary (GPT-2's), or one that stands for a byte (`<0xE3>`, as in Llama 2's), can hold a part
of a character. A *raw text* is a token's text in which a byte that is part of no whole character stands as a surrogate,
as in PEP 383: bytes that follow one another can be put together, and nothing of a text looks like one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

REPLACEMENT = "\ufffd"
"""What a tokenizer shows of a byte that is part of no whole character; a text may hold it, too."""
LONE = re.compile("[\udc80-\udcff]")
"""A byte in a raw text."""

_NAMED = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_OPTIONS = {"clean_up_tokenization_spaces": False, "skip_special_tokens": False}


def token_bytes(tokenizer: Any, ids: Iterable[int]) -> list[bytes]:
    """The bytes that each token adds behind another one, in UTF-8, leading space included.

    Decoding a token by itself loses its leading space in some tokenizers, and its `##` in others; decoding it behind
    an anchor token tells both.

    Args:
        tokenizer: a Hugging Face tokenizer.
        ids: may name ids that no token has.

    Returns:
        Nothing (`b""`) of an id that no token has, and of a token that writes nothing.
    """
    names = {number: name for name, number in tokenizer.get_vocab().items()}
    wanted = [int(i) for i in ids]
    known = [i for i in wanted if i in names]
    anchor = _anchor(tokenizer, names)
    start = len(tokenizer.decode(anchor, **_OPTIONS)) if anchor else 0
    texts = tokenizer.batch_decode([[*anchor, i] for i in known], **_OPTIONS) if known else []
    found = {i: _spelled(names[i], text[start:]) for i, text in zip(known, texts, strict=True)}
    return [found.get(i, b"") for i in wanted]


def special_ids(tokenizer: Any) -> set[int]:
    """The tokens of a tokenizer that stand for no text."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return {*map(int, tokenizer.all_special_ids), *(i for i, token in added.items() if token.special)}


def raw_text(data: bytes) -> str:
    """The raw text of some bytes."""
    return data.decode("utf-8", "surrogateescape")


def _anchor(tokenizer: Any, names: Mapping[int, str | bytes]) -> list[int]:
    """A token of letters alone, of others one that is shown; none if the vocabulary has neither."""
    special, shown = special_ids(tokenizer), []
    for number in sorted(names):
        if number in special or _NAMED.fullmatch(str(names[number])):
            continue
        text = tokenizer.decode([number], **_OPTIONS).strip()
        if text.isalpha():
            return [number]
        if text and REPLACEMENT not in text:
            shown.append(number)
    return shown[:1]


def _spelled(name: str | bytes, text: str) -> bytes:
    """The bytes of a token by its name in the vocabulary and its text."""
    if isinstance(name, bytes):  # as some tokenizers of tiktoken's kind name theirs
        return name
    if not text and len(name) == 1 and "\x80" <= name <= "\xff":  # as ByT5's, which shows nothing of a lone byte
        return name.encode("latin-1")
    if REPLACEMENT not in text or REPLACEMENT in name:
        return text.encode()
    if named := _NAMED.fullmatch(name):
        return bytes([int(named[1], 16)])
    if all(char in _BYTE_OF for char in name):
        return bytes(_BYTE_OF[char] for char in name)
    return text.encode()


def _byte_alphabet() -> dict[str, int]:
    """The characters by which byte-level vocabularies write bytes (Radford et al. 2019): itself where it is printable
    in Latin-1, the others in order from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + n): byte for n, byte in enumerate(others)}


_BYTE_OF = _byte_alphabet()
