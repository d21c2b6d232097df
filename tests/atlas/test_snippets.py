"""Display strings of tokens: nothing hides or reorders text, and each token shows what it adds."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from nbkit.atlas.snippets import Snippet, display_token
from nbkit.models.vocabulary import vocabulary_table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("word", "word"),
        (" the", " the"),
        ("", ""),
        ("\n", "↵"),
        ("\n\n\t", "↵↵→"),
        ("\r\n", "␍↵"),
        ("\x00", "␀"),
        ("a\x1bb", "a␛b"),
        ("\x7f", "␡"),
        ("\x85", "⟨U+0085⟩"),
        ("\u202eabc", "⟨U+202E⟩abc"),
        ("\u2066a\u2069", "⟨U+2066⟩a⟨U+2069⟩"),
        ("\u200b", "⟨U+200B⟩"),
        ("\ufeff", "⟨U+FEFF⟩"),
        ("soft\u00adhyphen", "soft⟨U+00AD⟩hyphen"),
        ("\u2028\u2029", "⟨U+2028⟩⟨U+2029⟩"),
        ("👩\u200d💻", "👩\u200d💻"),
        ("\u200d💻", "⟨U+200D⟩💻"),
        ("👩\u200d", "👩⟨U+200D⟩"),
        ("\u200d", "⟨U+200D⟩"),
        ("a\u200d\u200db", "a⟨U+200D⟩⟨U+200D⟩b"),
        ("\u200d\u202e\u200d", "⟨U+200D⟩⟨U+202E⟩⟨U+200D⟩"),
        ("🏳️\u200d🌈", "🏳️\u200d🌈"),
        ("\ud800", "⟨U+D800⟩"),
        ("\ude00\ud83d", "⟨U+DE00⟩⟨U+D83D⟩"),
        ("\U000e0041", "⟨U+E0041⟩"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
        ("Z̸̢a", "Z̸̢a"),
        ("مرحبا", "مرحبا"),
        ("\ufffd", "\ufffd"),
    ],
)
def test_invisible_characters_become_visible(text: str, shown: str) -> None:
    assert display_token(text) == shown


ANY_TEXT = st.text(st.characters(codec=None), max_size=12)
TROUBLE = st.text(
    st.sampled_from("a \n\t\x00\x1f\x7f\x85\u200b\u200d\u202e\u2069\ufeff\U000e0020👩💻\ud800"), max_size=12
)


@given(ANY_TEXT | TROUBLE)
@example("\u200d\u200d\u200d")
def test_no_control_or_format_character_is_left(text: str) -> None:
    shown = display_token(text)
    for i, char in enumerate(shown):
        if char == "\u200d":
            neighbors = shown[i - 1 : i] + shown[i + 1 : i + 2]
            assert len(neighbors) == 2 and not any(map(str.isspace, neighbors)) and "\u200d" not in neighbors
        else:
            assert unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp"), hex(ord(char))
    shown.encode()  # no lone surrogate either


@given(ANY_TEXT)
def test_what_is_visible_stays(text: str) -> None:
    visible = [char for char in text if unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    rest = iter(display_token(text))
    assert all(char in rest for char in visible)


def byte_level() -> PreTrainedTokenizerFast:
    """As GPT-2's: a leading space is part of the token, written Ġ; a character may be in several tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = {char: number for number, char in enumerate([*alphabet, "th", "the", "Ġt", "Ġthe", "ing", "Ċ" * 2])}
    merges = [("t", "h"), ("th", "e"), ("Ġ", "t"), ("Ġ", "the"), ("Ċ", "Ċ")]
    tokenizer = Tokenizer(models.BPE(words, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def word_piece() -> PreTrainedTokenizerFast:
    """As BERT's: a token stands behind a space unless it begins with ##."""
    names = ["[UNK]", "[CLS]", "[SEP]", "a", "the", "dog", "##s", "##ing", ".", ",", "'", "don", "t", "##"]
    tokenizer = Tokenizer(models.WordPiece({name: i for i, name in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]")


def metaspace() -> PreTrainedTokenizerFast:
    """As Llama 2's: a leading space is written ▁, and the first one of a text is not shown."""
    names = ["<unk>", "<s>", "▁", "a", "▁a", "▁the", "the", "s", "▁dog", "<0x0A>", "<0xF0>", "<0x9F>"]
    tokenizer = Tokenizer(models.BPE({name: i for i, name in enumerate(names)}, [("▁", "a")], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    replace, strip = decoders.Replace("▁", " "), decoders.Strip(" ", 1, 0)
    tokenizer.decoder = decoders.Sequence([replace, decoders.ByteFallback(), decoders.Fuse(), strip])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>")


def texts(tokenizer: PreTrainedTokenizerFast, names: list[str]) -> list[str]:
    ids = np.array([tokenizer.convert_tokens_to_ids(name) for name in names])
    return list(vocabulary_table(tokenizer, ids)["text"])


def test_byte_level_tokens_keep_their_spaces() -> None:
    names = ["Ġthe", "the", "Ġ", "ing", "Ċ", "ĊĊ", ".", "ð"]
    assert texts(byte_level(), names) == [" the", "the", " ", "ing", "\n", "\n\n", ".", "\ufffd"]


def test_word_pieces_lose_their_marks_and_words_get_their_space() -> None:
    names = ["the", "dog", "##s", "##ing", ".", ",", "'", "a", "[CLS]", "[SEP]"]
    assert texts(word_piece(), names) == [" the", " dog", "s", "ing", ".", ",", " '", " a", " [CLS]", " [SEP]"]


def test_metaspaces_become_spaces() -> None:
    names = ["▁the", "the", "▁a", "s", "▁dog", "▁", "<0x0A>", "<0xF0>", "<s>"]
    assert texts(metaspace(), names) == [" the", "the", " a", "s", " dog", " ", "\n", "\ufffd", "<s>"]


def test_the_tokens_of_a_text_put_together_are_the_text() -> None:
    tokenizer, text = byte_level(), "the thing\n\n is: a  tether."
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert "".join(vocabulary_table(tokenizer, np.array(ids))["text"]) == text


def test_a_snippet_reads_as_text_with_its_key_token_in_brackets() -> None:
    snippet = Snippet(("The", " river", " bank", "."), (0.0, 0.1, 4.0, 0.0), 2, 7, 30)
    assert snippet.key_token == " bank"
    assert str(snippet) == "The river[ bank]."
