"""What tokens write, of any vocabulary: put together they are the text, and each keeps its spaces and its bytes."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

from nbkit.models.token_bytes import raw_text, special_ids, token_bytes
from tests.examples.scripts import SCRIPTS, TOKENIZERS


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("script", SCRIPTS)
def test_the_bytes_of_a_texts_tokens_are_the_texts(kind: str, script: str) -> None:
    tokenizer, text = TOKENIZERS[kind](), SCRIPTS[script]
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert b"".join(token_bytes(tokenizer, ids)).decode() == text


def test_a_byte_is_told_from_the_replacement_character() -> None:
    for make, byte in ((TOKENIZERS["byte level"], "Ń"), (TOKENIZERS["byte fallback"], "<0xE3>")):  # Ń: U+0143, 0xA1
        tokenizer = make()
        number = tokenizer.convert_tokens_to_ids(byte)
        expected = {"Ń": b"\xad", "<0xE3>": b"\xe3"}[byte]
        assert token_bytes(tokenizer, [number]) == [expected]
        assert raw_text(expected) == chr(0xDC00 + expected[0])
    tokenizer = TOKENIZERS["characters"]()
    assert token_bytes(tokenizer, [tokenizer.convert_tokens_to_ids("\ufffd")]) == ["\ufffd".encode()]


@pytest.mark.parametrize("byte", range(256))
def test_every_byte_of_a_byte_level_vocabulary(byte: int) -> None:
    tokenizer = TOKENIZERS["byte level"]()
    character = "é" if byte >= 0x80 else "e"
    ids = tokenizer(character, add_special_tokens=False)["input_ids"]  # the alphabet is there whatever was read
    assert b"".join(token_bytes(tokenizer, ids)) == character.encode()
    found = token_bytes(tokenizer, range(1, 257))
    assert bytes([byte]) in found and len(set(found)) == 256


def few(names: list[str], **options: str) -> PreTrainedTokenizerFast:
    """A tokenizer of whole words, without an unknown token unless it is given."""
    tokenizer = Tokenizer(models.WordLevel({name: number for number, name in enumerate(names)}, **options))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


@pytest.mark.parametrize(
    "names",
    [
        ["x", "y", "z", ".", ",", "!", "?"],
        [".", ",", "!", "?", "1", "2", "3"],
        ["東", "京"],
        ["only"],
        [" ", "\n", "  "],
        ["\u0301", "e"],
    ],
)
def test_small_vocabularies_without_an_a_or_an_unknown_token(names: list[str]) -> None:
    assert token_bytes(few(names), range(len(names))) == [name.encode() for name in names]


def test_an_id_that_no_token_has_writes_nothing() -> None:
    tokenizer = Tokenizer(models.WordLevel({"one": 0, "two": 5, "[UNK]": 9}, unk_token="[UNK]"))
    tokenizer.decoder = decoders.Fuse()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")
    assert token_bytes(fast, [0, 1, 5, 7, 9, 400]) == [b"one", b"", b"two", b"", b"[UNK]", b""]
    assert token_bytes(fast, []) == []
    assert special_ids(fast) == {9}


def test_word_pieces_without_an_a() -> None:
    names = ["[UNK]", "[CLS]", "##s", "##ing", "dog", "the", "##", "."]
    tokenizer = Tokenizer(models.WordPiece({name: i for i, name in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.decoder = decoders.WordPiece()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", cls_token="[CLS]")
    found = token_bytes(fast, range(len(names)))
    assert found == [b" [UNK]", b" [CLS]", b"s", b"ing", b" dog", b" the", b"", b"."]
    assert special_ids(fast) == {0, 1}


def test_a_vocabulary_of_bytes_alone() -> None:
    names = [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer = Tokenizer(models.BPE({name: i for i, name in enumerate(names)}, [], byte_fallback=True))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    found = token_bytes(PreTrainedTokenizerFast(tokenizer_object=tokenizer), range(256))
    assert found == [bytes([byte]) for byte in range(256)]


def test_a_tokenizer_of_bytes_that_shows_none_alone() -> None:
    tokenizer, text = ByT5Tokenizer(), "aé東 👩"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(ids) == len(text.encode())
    assert b"".join(token_bytes(tokenizer, ids)).decode() == text
