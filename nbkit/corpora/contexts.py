"""Fixed-length token contexts cut from a corpus."""

import hashlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jaxtyping import Bool, Int32

from nbkit.corpora.documents import Piece, open_corpus
from nbkit.errors import NbkitError

CONTEXT_LIMIT = 20_000
"""How many contexts are read at most unless another number is asked for: more than the 10,022 of Brown."""
_BATCH_CHARACTERS = 1 << 18  # tokenized at a time; enough to keep the tokenizer's threads busy


class TextModel(Protocol):
    """What `load_contexts` needs of a language model."""

    @property
    def tokenizer(self) -> Any:
        """A fast Hugging Face tokenizer."""

    @property
    def n_ctx(self) -> int:
        """The longest context the model takes, in tokens."""

    @property
    def causal(self) -> bool:
        """Whether a token sees only those before it."""

    @property
    def name(self) -> str:
        """What messages call the model."""


@dataclass(frozen=True, eq=False)
class Contexts:
    """Token contexts of one length, in corpus order."""

    tokens: Int32[np.ndarray, "n length"]
    """Token ids."""
    documents: Int32[np.ndarray, " n"]
    """For each context the index of its document in the corpus, counted from 0."""
    name: str
    """The corpus: a known name, `hf:…`, or the name of the file."""
    special: Bool[np.ndarray, " length"]
    """Positions that hold no text of the corpus to speak of: an added BOS, [CLS] or [SEP], and always position 0."""

    @cached_property
    def sha256(self) -> str:
        """Checksum of the tokens and their shape."""
        shape = f"{self.tokens.shape[0]}x{self.tokens.shape[1]}:"
        return hashlib.sha256(shape.encode() + self.tokens.astype("<i4").tobytes()).hexdigest()


def load_contexts(corpus: str | Path, model: TextModel, length: int = 128, limit: int = CONTEXT_LIMIT) -> Contexts:
    """Read a corpus until `limit` contexts of `length` tokens are full.

    A context never crosses a document's end: a document of t tokens gives floor(t / room) contexts of `room` text
    tokens, and what is left over at its end is dropped. A causal model with a BOS token reads BOS and `length - 1`
    text tokens; a bidirectional one with [CLS] and [SEP] reads `length - 2` text tokens between them; any other reads
    `length` text tokens. Text is data: the name of a special token in it ("<|im_end|>") is tokenized letter by
    letter, never as that token.

    Args:
        corpus: "brown", "nlp-corpus", "openwebtext", "hf:<data set>" or "hf:<data set>:<config>" (column "text" of the
            split "train", streamed), or a file: .txt (one document), .jsonl (field "text", one document a line) or
            .parquet (column "text", one document a row).
        model: gives the tokenizer, `n_ctx`, and whether it is causal.
        length: tokens in a context, from 8 to the model's `n_ctx`.
        limit: number of contexts after which to stop reading.

    Raises:
        NbkitError: an unknown corpus, a file or data set that can't be read, a length or limit out of range, or a
            corpus without a document long enough for one context.
    """
    if not 8 <= length <= model.n_ctx:
        raise NbkitError(f"A context of {length} tokens is not possible: {model.name} reads from 8 to {model.n_ctx}.")
    if limit < 1:
        raise NbkitError(f"limit is {limit}, and at least one context is needed.")
    before, after = _added_tokens(model)
    room = length - len(before) - len(after)
    name, pieces = open_corpus(corpus)
    cut = list(islice(_cut(_tokenize(pieces, model.tokenizer, name), room), min(limit, sys.maxsize)))
    if not cut:
        raise NbkitError(f"Corpus {name} has no document of {room} tokens, the least that fills a context of {length}.")
    tokens = np.empty((len(cut), length), dtype=np.int32)
    tokens[:, : len(before)] = before
    tokens[:, length - len(after) :] = after
    tokens[:, len(before) : length - len(after)] = np.stack([text for _, text in cut])
    special = np.zeros(length, dtype=np.bool_)
    special[: max(len(before), 1)] = True
    special[length - len(after) :] = True
    return Contexts(tokens, np.array([document for document, _ in cut], dtype=np.int32), name, special)


def _added_tokens(model: TextModel) -> tuple[list[int], list[int]]:
    """Return the special tokens before and after the text of each context."""
    tokenizer = model.tokenizer
    if model.causal:
        return ([] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]), []
    if tokenizer.cls_token_id is None or tokenizer.sep_token_id is None:
        return [], []
    return [tokenizer.cls_token_id], [tokenizer.sep_token_id]


def _tokenize(pieces: Iterable[Piece], tokenizer: Any, name: str) -> Iterator[tuple[int, list[int]]]:
    """Yield (document, token ids) for each piece of text, tokenized in batches."""
    for batch in _batches(pieces):
        try:
            ids = tokenizer(
                [piece.text for piece in batch],
                add_special_tokens=False,
                split_special_tokens=True,
                return_attention_mask=False,
                return_token_type_ids=False,
                verbose=False,  # a text longer than the model's context is cut here
            )["input_ids"]
        except (UnicodeEncodeError, TypeError) as error:  # a lone surrogate, which JSON can spell
            documents = f"{batch[0].document + 1} to {batch[-1].document + 1}"
            raise NbkitError(
                f"Corpus {name}, documents {documents}: there is text that is not valid Unicode."
            ) from error
        yield from zip((piece.document for piece in batch), ids, strict=True)


def _batches(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    batch, characters = [], 0
    for piece in pieces:
        batch.append(piece)
        characters += len(piece.text)
        if characters >= _BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _cut(tokenized: Iterable[tuple[int, list[int]]], room: int) -> Iterator[tuple[int, Int32[np.ndarray, " room"]]]:
    """Yield (document, `room` token ids); the pieces of one document follow one another."""
    current, rest = -1, np.empty(0, dtype=np.int32)
    for document, ids in tokenized:
        text = np.array(ids, dtype=np.int32)
        if document == current:
            text = np.concatenate([rest, text])
        full = len(text) // room
        for row in text[: full * room].reshape(full, room):
            yield document, row
        current, rest = document, text[full * room :]
