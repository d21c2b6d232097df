"""Reading a corpus as fixed-length token contexts."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from jaxtyping import Int32

from nbkit.corpora.added_tokens import added_tokens
from nbkit.corpora.context_files import open_contexts, write_contexts
from nbkit.corpora.contexts import Contexts
from nbkit.corpora.cutting import cut_documents
from nbkit.corpora.documents import Corpus, files_sha256, open_corpus
from nbkit.corpora.kept_contexts import keeping, kept_contexts
from nbkit.corpora.spool import Spool
from nbkit.corpora.summary import CorpusSummary
from nbkit.errors import NbkitError
from nbkit.files import user_path
from nbkit.method.checks import checked_whole, shown

CONTEXT_LIMIT = 20_000
"""How many contexts are read at most unless another number is asked for: more than the 9,945 of Brown."""


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

    @property
    def vocabulary_sha256(self) -> str:
        """Checksum of the tokenizer's tokens and their ids."""


def load_contexts(
    corpus: object,
    model: TextModel,
    length: int = 128,
    limit: int = CONTEXT_LIMIT,
    field: str = "text",
    unique: bool = False,
    name: str | None = None,
    out: str | Path | None = None,
) -> Contexts:
    """Read a corpus until `limit` contexts of `length` tokens are full.

    A context never crosses a document's end: a document of t tokens gives floor(t / room) contexts of `room` text
    tokens, and what is left over at its end is dropped. Before and after each text stand the special tokens that the
    model's tokenizer itself adds (<s> of Llama, [CLS] and [SEP] of BERT, none of SmolLM2), and `room` is what they
    leave of `length`. Text is data: the name of a special token in it ("<|im_end|>") is tokenized letter by
    letter, never as that token.

    Documents without text, nulls and empty ones, are skipped; `Contexts.summary` counts them and all else that is
    left out. Everything is read as a stream, but for an array in a .json file. The same documents give the same
    contexts from whatever they are read.

    Memory doesn't grow with their number: from 8 MB on (16,000 contexts of 128 tokens) they lie on disk, in the
    system's folder for temporary files or in `out`, and are mapped into memory, where they can't be written to.

    Args:
        corpus: one of

            - "brown", "nlp-corpus", "openwebtext";
            - "hf:<data set>", "hf:<data set>:<config>" or "hf:<data set>:<config>:<split>", streamed; the split is
              "train" if none is named, the config may be empty;
            - a file: .txt, .md, .py (one document each), .jsonl or .ndjson (a document a line), .json (an array),
              .csv, .tsv or .parquet (a document a row), each also with .gz, .zst, .xz or .bz2 behind;
            - a folder or a pattern such as "texts/*.jsonl.gz": all such files below it, sorted by path, without
              hidden ones;
            - texts in memory: a list or any iterable of strings or of records (dicts) with the field; a table or
              column of pandas, Polars, PyArrow or anything else with Arrow's C interface; a `datasets.Dataset`.
        model: gives the tokenizer and `n_ctx`.
        length: tokens in a context, from 8 to the model's `n_ctx`.
        limit: number of contexts after which to stop reading.
        field: name of the column or field that holds the texts, where there are such.
        unique: whether to leave out contexts with the tokens of an earlier one.
        name: what to call the corpus; None takes its own name, which of texts in memory is "in memory".
        out: a folder where the contexts are kept. Asked for again with the same arguments, they are opened there
            instead of read once more; those of a corpus that is one of nbkit's or on a hub as they were read first.

    Raises:
        NbkitError: an unknown corpus; a file, data set or object that can't be read, or a row that holds no string; an
            argument of another type or out of range; or a corpus without a document long enough for one context. `out`
            holds something else, other contexts, or any contexts if the texts are in memory; or the disk is full.
    """
    length, limit = _checked(model, length, limit, field, unique, name)
    if out is None:
        return _read(open_corpus(corpus, field, name), model, length, limit, unique, None)
    request = None
    if isinstance(corpus, str | os.PathLike):
        request = {
            "corpus": str(corpus),
            "files_sha256": files_sha256(str(corpus)),
            "tokenizer_sha256": _tokenizer_sha256(model.tokenizer),
            "length": length,
            "limit": limit,
            "field": field,
            "unique": bool(unique),
            "name": name,
        }
    folder = user_path(out)
    if (kept := kept_contexts(folder, request)) is not None:  # needs no lock, nor a disk to write one on
        return kept
    opened = open_corpus(corpus, field, name)
    with keeping(folder):
        if kept_contexts(folder, request) is None:  # unless another process has read them meanwhile
            write_contexts(_read(opened, model, length, limit, unique, folder), folder, request)
    return open_contexts(folder)


def _read(opened: Corpus, model: TextModel, length: int, limit: int, unique: bool, folder: Path | None) -> Contexts:
    """See `load_contexts`.

    Args:
        folder: where they lie while they are read, if there are too many for the memory; None is the system's.
    """
    before, after = added = added_tokens(model.tokenizer)
    room = length - len(before) - len(after)
    context = np.empty(length, dtype=np.int32)
    context[: len(before)], context[length - len(after) :] = before, after
    with closing(Spool(length, folder)) as tokens, closing(Spool(1, folder)) as documents:

        def keep(row: Int32[np.ndarray, " room"], document: int) -> None:
            context[len(before) : length - len(after)] = row
            tokens.add(context)
            documents.add(np.array([document], dtype=np.int32))

        cut = cut_documents(opened.pieces, model.tokenizer, room, limit, unique, keep)
        if not cut.n_rows:
            raise NbkitError(
                f"Corpus {opened.name} has no document of {room} tokens, the least that fills a context of {length}: "
                f"{cut.n_documents:,} documents with text were read and {cut.skipped:,} without."
            )
        arrays = tokens.array(), documents.array()[:, 0]
    special = np.zeros(length, dtype=np.bool_)
    special[: max(len(before), 1)] = True
    special[length - len(after) :] = True
    summary = CorpusSummary(
        opened.name,
        documents=cut.n_documents,
        skipped=cut.skipped,
        characters=cut.characters,
        contexts=cut.n_rows,
        length=length,
        dropped_tokens=cut.dropped_tokens,
        repeated=cut.repeated,
        unique=bool(unique),
        left_out=opened.left_out,
    )
    return Contexts(*arrays, opened.name, special, added, model.vocabulary_sha256, summary)


def _tokenizer_sha256(tokenizer: Any) -> str:
    """Checksum of all that a fast tokenizer does, but for what each call sets."""
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    return hashlib.sha256(json.dumps({**rules, "truncation": None, "padding": None}).encode()).hexdigest()


def _checked(
    model: TextModel, length: object, limit: object, field: object, unique: object, name: object
) -> tuple[int, int]:
    """Return `length` and `limit` as ints.

    Raises:
        NbkitError: an argument is of another type or out of range.
    """
    if not all(hasattr(model, each) for each in ("tokenizer", "n_ctx", "name", "vocabulary_sha256")):
        raise NbkitError(f"The model is a {type(model).__name__}: give what nbkit.load_model returns.")
    n_tokens, n_contexts = checked_whole("length", length), checked_whole("limit", limit, 1)
    if not 8 <= n_tokens <= model.n_ctx:
        raise NbkitError(f"A context of {n_tokens} tokens is not possible: {model.name} reads from 8 to {model.n_ctx}.")
    if not isinstance(field, str) or not field:
        raise NbkitError(f"field is {shown(field)}: it is the name of the column that holds the texts.")
    if not isinstance(unique, bool | np.bool_):
        raise NbkitError(f"unique is {shown(unique)}: it must be True or False.")
    if name is not None and (not isinstance(name, str) or not name):
        raise NbkitError(f"name is {shown(name)}: it is a text, what to call the corpus.")
    return n_tokens, n_contexts
