"""What tokenizers of every make put around a text, and contexts that say so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from nbkit.corpora import Contexts, load_contexts
from nbkit.corpora.added_tokens import added_tokens
from nbkit.errors import NbkitError
from nbkit.models.vocabulary import vocabulary_sha256

WORDS = ["<unk>", "<s>", "</s>", "[CLS]", "[SEP]", "<|end|>", *"abcdefgh"]


@dataclass
class Model:
    tokenizer: Any
    n_ctx: int = 64
    name: str = "toy"

    @property
    def vocabulary_sha256(self) -> str:
        return vocabulary_sha256(self.tokenizer)


def tokenizer(template: str = "", words: list[str] = WORDS, **special: str) -> PreTrainedTokenizerFast:
    """A token per character, with `template` for what is around a text."""
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    if template:
        ids = [(token, words.index(token)) for token in template.split() if token != "$A"]
        made.post_processor = processors.TemplateProcessing(single=template, special_tokens=ids)
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", **special)


BOTH = {"bos_token": "<s>", "eos_token": "</s>"}


@pytest.mark.parametrize(
    ("template", "special", "before", "after"),
    [
        ("<s> $A", BOTH, (1,), ()),  # Llama
        ("$A </s>", BOTH, (), (2,)),  # T5
        ("<s> $A </s>", BOTH, (1,), (2,)),  # RoBERTa
        ("[CLS] $A [SEP]", {"cls_token": "[CLS]", "sep_token": "[SEP]"}, (3,), (4,)),  # BERT
        ("[CLS] <s> $A", BOTH | {"cls_token": "[CLS]"}, (3, 1), ()),  # GLM: two in front
        ("<|end|> $A", {"eos_token": "<|end|>"}, (5,), ()),
        ("", BOTH | {"cls_token": "[CLS]", "sep_token": "[SEP]"}, (), ()),  # GPT-2, SmolLM2: has them, adds none
        ("", {"eos_token": "<|end|>", "pad_token": "<|end|>"}, (), ()),  # Qwen
        ("", {}, (), ()),
    ],
)
def test_contexts_hold_what_the_tokenizer_adds(
    template: str, special: dict[str, str], before: tuple[int, ...], after: tuple[int, ...], tmp_path: Path
) -> None:
    made = tokenizer(template, **special)
    text = tmp_path / "text.txt"
    text.write_text("abcdefgh" * 6)
    contexts = load_contexts(text, Model(made), length=12)
    assert added_tokens(made) == contexts.added == contexts.around == (before, after)
    room = 12 - len(before) - len(after)
    assert contexts.tokens.shape == (48 // room, 12)
    for number, row in enumerate(contexts.tokens.tolist()):
        piece = ("abcdefgh" * 6)[number * room : (number + 1) * room]
        assert row == made(piece)["input_ids"]  # as the tokenizer itself makes it
        assert "".join(made.convert_ids_to_tokens(row[len(before) : 12 - len(after)])) == piece
    excluded = [i < max(1, len(before)) or i >= 12 - len(after) for i in range(12)]
    assert contexts.special.tolist() == excluded
    assert contexts.vocabulary_sha256 == vocabulary_sha256(made)


def test_a_vocabulary_without_an_a_does_for_finding_out() -> None:
    assert added_tokens(tokenizer("<s> $A", ["<unk>", "<s>", "ж", "ü"], bos_token="<s>")) == ((1,), ())


def test_a_tokenizer_that_cannot_be_followed_is_refused() -> None:
    with pytest.raises(NbkitError, match="makes only special tokens of every text"):
        added_tokens(tokenizer(words=["<unk>", "<s>"], bos_token="<s>"))
    with pytest.raises(NbkitError, match="adds them neither before nor after the text"):
        added_tokens(Doubling(tokenizer("<s> $A", bos_token="<s>")))


class Doubling:
    """A tokenizer that writes another text if asked for special tokens."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
        return {"input_ids": [9, 1, 8]} if add_special_tokens else {"input_ids": [6]}


def test_two_tokenizers_of_one_vocabulary_are_one() -> None:
    assert vocabulary_sha256(tokenizer()) == vocabulary_sha256(tokenizer("<s> $A", bos_token="<s>"))
    swapped = [*WORDS[:-2], "h", "g"]
    assert vocabulary_sha256(tokenizer()) != vocabulary_sha256(tokenizer(words=swapped))


def test_arrays_that_do_not_say_what_was_added_are_looked_at() -> None:
    tokens = np.array([[1, 5, 6, 4, 2], [1, 7, 6, 4, 2]], dtype=np.int32)

    def around(special: list[int], rows: int = 2) -> tuple[tuple[int, ...], tuple[int, ...]]:
        mask = np.isin(np.arange(5), special)
        return Contexts(tokens[:rows], np.zeros(rows, dtype=np.int32), "mine", mask).around

    assert around([0]) == ((1,), ()) and around([0, 4]) == ((1,), (2,)) and around([0, 3, 4]) == ((1,), (4, 2))
    assert around([0, 1]) == ((1,), ())  # the second holds text
    assert around([0, 4], rows=1) == ((), ())  # nothing to compare with
