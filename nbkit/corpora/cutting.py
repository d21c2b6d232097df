"""Documents cut into rows of equally many tokens, and what is counted on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int32

from nbkit.corpora.documents import Piece
from nbkit.corpora.repeats import Repeats

_BATCH_CHARACTERS = 1 << 18  # tokenized at a time at most; enough to keep the tokenizer's threads busy
_LEAST_CHARACTERS = 1 << 10  # and at least, where only a few tokens more are wanted
_DOCUMENT_CHARACTERS = 32  # what a document counts for besides: millions of empty ones are no one batch

Keep = Callable[[Int32[np.ndarray, " room"], int], None]
"""Takes a row of text tokens and the index of its document."""


@dataclass(eq=False)
class Cut:
    """What was read for the rows."""

    n_rows: int = 0
    n_documents: int = 0
    """Documents with text."""
    skipped: int = 0
    """Documents without."""
    characters: int = 0
    dropped_tokens: int = 0
    """At the ends of documents."""
    repeated: int = 0
    """Rows that are equal to an earlier one."""


def cut_documents(pieces: Iterable[Piece], tokenizer: Any, room: int, limit: int, unique: bool, keep: Keep) -> Cut:
    """Cut documents into rows of `room` tokens, until there are `limit` of them.

    Args:
        pieces: the documents; no more of them are read than the rows need, but for a few to fill a batch.
        tokenizer: a fast Hugging Face tokenizer.
        unique: whether to leave out rows that are equal to an earlier one.
        keep: is given the rows in corpus order.
    """
    cut = Cut()
    current, rest = -1, np.empty(0, dtype=np.int32)
    with closing(Repeats()) as repeats:
        for piece, ids in _tokenized(pieces, tokenizer, lambda: (limit - cut.n_rows) * room):
            if piece.document != current:
                cut.dropped_tokens += len(rest)
                current, rest = piece.document, rest[:0]
                cut.n_documents += bool(piece.text)
                cut.skipped += not piece.text
            cut.characters += len(piece.text)
            tokens = np.concatenate([rest, np.array(ids, dtype=np.int32)])
            full = len(tokens) // room
            for row in tokens[: full * room].reshape(full, room):
                repeated = repeats.add(row)
                cut.repeated += repeated
                if unique and repeated:
                    continue
                keep(row, piece.document)
                cut.n_rows += 1
                if cut.n_rows == limit:
                    return cut
            rest = tokens[full * room :]
    cut.dropped_tokens += len(rest)
    return cut


def _tokenized(pieces: Iterable[Piece], tokenizer: Any, wanted: Callable[[], int]) -> Iterator[tuple[Piece, list[int]]]:
    """Yield each piece with its token ids, tokenized in batches."""
    for batch in _batches(pieces, wanted):
        ids = tokenizer(
            [piece.text for piece in batch],
            add_special_tokens=False,
            split_special_tokens=True,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,  # a text longer than the model's context is cut here
        )["input_ids"]
        for piece, found in zip(batch, ids, strict=True):
            yield piece, found if piece.text else []


def _batches(pieces: Iterable[Piece], wanted: Callable[[], int]) -> Iterator[list[Piece]]:
    """Group pieces; a group has few more characters than tokens are wanted, since a generator does not come back."""
    batch: list[Piece] = []
    characters = 0
    for piece in pieces:
        batch.append(piece)
        characters += len(piece.text) + _DOCUMENT_CHARACTERS
        if characters >= min(_BATCH_CHARACTERS, max(_LEAST_CHARACTERS, wanted())):
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch
