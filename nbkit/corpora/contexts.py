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

from nbkit.corpora.added_tokens import AddedTokens, added_tokens, vocabulary_sha256
from nbkit.corpora.documents import Piece, open_corpus
from nbkit.errors import NbkitError

CONTEXT_LIMIT = 20_000
"""How many contexts are read at most unless another number is asked for: more than the 9,945 of Brown."""
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
    added: AddedTokens | None = None
    """Ids of the tokens that the tokenizer added before and after each text; None if that isn't known."""
    vocabulary_sha256: str | None = None
    """Of the tokenizer that the ids are of (see `vocabulary_sha256`); None if that isn't known."""

    @cached_property
    def around(self) -> AddedTokens:
        """The tokens before and after each text: what the tokenizer added; where that isn't known, those of the special
        positions that hold one token in all contexts."""
        if self.added is not None:
            return self.added
        first = self.tokens[0]
        fixed = self.special & (self.tokens == first).all(0) & (len(self.tokens) > 1)
        before = len(first) if fixed.all() else int(fixed.argmin())
        after = 0 if fixed.all() else int(fixed[::-1].argmin())
        return AddedTokens(tuple(first[:before].tolist()), tuple(first[len(first) - after :].tolist()))

    @cached_property
    def sha256(self) -> str:
        """Checksum of the tokens and their shape."""
        shape = f"{self.tokens.shape[0]}x{self.tokens.shape[1]}:"
        return hashlib.sha256(shape.encode() + self.tokens.astype("<i4").tobytes()).hexdigest()


def load_contexts(corpus: str | Path, model: TextModel, length: int = 128, limit: int = CONTEXT_LIMIT) -> Contexts:
    """Read a corpus until `limit` contexts of `length` tokens are full.

    A context never crosses a document's end: a document of t tokens gives floor(t / room) contexts of `room` text
    tokens, and what is left over at its end is dropped. Before and after each text stand the special tokens that the
    model's tokenizer itself adds (<s> of Llama, [CLS] and [SEP] of BERT, none of SmolLM2), and `room` is what they
    leave of `length`. Text is data: the name of a special token in it ("<|im_end|>") is tokenized letter by
    letter, never as that token.

    Args:
        corpus: "brown", "nlp-corpus", "openwebtext", "hf:<data set>" or "hf:<data set>:<config>" (column "text" of the
            split "train", streamed), or a file: .txt (one document), .jsonl (field "text", one document a line) or
            .parquet (column "text", one document a row).
        model: gives the tokenizer and `n_ctx`.
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
    before, after = added = added_tokens(model.tokenizer)
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
    documents = np.array([document for document, _ in cut], dtype=np.int32)
    return Contexts(tokens, documents, name, special, added, vocabulary_sha256(model.tokenizer))


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
