"""What `load_contexts` needs of a model, with a tokenizer made here: each byte of UTF-8 is one token."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from nbkit.models.vocabulary import vocabulary_sha256

BOS, END = "<|im_start|>", "<|im_end|>"


def byte_tokenizer(**special: str) -> PreTrainedTokenizerFast:
    """One token for each byte; the special tokens come after the 256 bytes, and around a text unless asked not to; an
    EOS token is there and never added, as in most models."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special.values()])
    added = [token for name, token in special.items() if name != "eos_token"]
    template = " ".join([*added[:1], "$A", *added[1:]])
    ids = [(token, tokenizer.token_to_id(token)) for token in special.values()]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=ids)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


@cache
def with_bos() -> PreTrainedTokenizerFast:
    """The tokenizer of a model that begins with BOS."""
    return byte_tokenizer(bos_token=BOS, eos_token=END)


@dataclass
class ByteModel:
    """What is asked of a language model; of a context of n tokens n - 1 are text."""

    tokenizer: Any = field(default_factory=with_bos)
    n_ctx: int = 64
    name: str = "toy"

    @property
    def vocabulary_sha256(self) -> str:
        return vocabulary_sha256(self.tokenizer)


def write_jsonl(folder: Path, *texts: str | None) -> Path:
    """A file of records with these texts and something else."""
    path = folder / "corpus.jsonl"
    path.write_text("".join(json.dumps({"text": text, "n": 1}) + "\n" for text in texts), encoding="utf-8")
    return path


def texts_of(contexts: Any, tokenizer: Any) -> list[str]:
    """The text of each context."""
    return [str(tokenizer.decode(row[~contexts.special])) for row in contexts.tokens]
