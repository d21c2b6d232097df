"""Fixed-length token contexts cut from a corpus."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from jaxtyping import Bool, Int32

from nbkit.corpora.added_tokens import AddedTokens, added_tokens
from nbkit.corpora.cutting import cut_documents
from nbkit.corpora.documents import open_corpus
from nbkit.corpora.summary import CorpusSummary
from nbkit.errors import NbkitError
from nbkit.files import pieces
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


@dataclass(frozen=True, eq=False)
class Contexts:
    """Token contexts of one length, in corpus order."""

    tokens: Int32[np.ndarray, "n length"]
    """Token ids."""
    documents: Int32[np.ndarray, " n"]
    """For each context the index of its document in the corpus, counted from 0; documents without text count too."""
    name: str
    """The corpus: a known name, `hf:…`, the name of the file or folder, or "in memory"."""
    special: Bool[np.ndarray, " length"]
    """Positions that hold no text of the corpus to speak of: an added BOS, [CLS] or [SEP], and always position 0."""
    added: AddedTokens | None = None
    """Ids of the tokens that the tokenizer added before and after each text; None if that isn't known."""
    vocabulary_sha256: str | None = None
    """Of the tokens and ids of the tokenizer that cut them; None if that isn't known."""

    @cached_property
    def around(self) -> AddedTokens:
        """The tokens before and after each text: what the tokenizer added; where that isn't known, those of the special
        positions that hold one token in all contexts."""
        if self.added is not None:
            return self.added
        first = self.tokens[0]
        fixed = self.special & (len(self.tokens) > 1)
        for piece in pieces(self.tokens):
            fixed &= (piece == first).all(0)
        before = len(first) if fixed.all() else int(fixed.argmin())
        after = 0 if fixed.all() else int(fixed[::-1].argmin())
        return AddedTokens(tuple(first[:before].tolist()), tuple(first[len(first) - after :].tolist()))

    summary: CorpusSummary | None = None
    """What was read and what was left out; None if `load_contexts` didn't make these contexts."""

    @cached_property
    def sha256(self) -> str:
        """Checksum of the tokens and their shape."""
        digest = hashlib.sha256(f"{self.tokens.shape[0]}x{self.tokens.shape[1]}:".encode())
        for piece in pieces(self.tokens):
            digest.update(piece.astype("<i4").tobytes())
        return digest.hexdigest()


def load_contexts(
    corpus: object,
    model: TextModel,
    length: int = 128,
    limit: int = CONTEXT_LIMIT,
    field: str = "text",
    unique: bool = False,
    name: str | None = None,
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

    Raises:
        NbkitError: an unknown corpus; a file, data set or object that can't be read, or a row that holds no string; an
            argument of another type or out of range; or a corpus without a document long enough for one context.
    """
    length, limit = _checked(model, length, limit, field, unique, name)
    before, after = added = added_tokens(model.tokenizer)
    room = length - len(before) - len(after)
    opened = open_corpus(corpus, field, name)
    cut = cut_documents(opened.pieces, model.tokenizer, room, limit, unique)
    if not cut.rows:
        raise NbkitError(
            f"Corpus {opened.name} has no document of {room} tokens, the least that fills a context of {length}: "
            f"{cut.n_documents:,} documents with text were read and {cut.skipped:,} without."
        )
    tokens = np.empty((len(cut.rows), length), dtype=np.int32)
    tokens[:, : len(before)] = before
    tokens[:, length - len(after) :] = after
    tokens[:, len(before) : length - len(after)] = np.stack(cut.rows)
    special = np.zeros(length, dtype=np.bool_)
    special[: max(len(before), 1)] = True
    special[length - len(after) :] = True
    summary = CorpusSummary(
        opened.name,
        documents=cut.n_documents,
        skipped=cut.skipped,
        characters=cut.characters,
        contexts=len(tokens),
        length=length,
        dropped_tokens=cut.dropped_tokens,
        repeated=cut.repeated,
        unique=bool(unique),
        left_out=opened.left_out,
    )
    documents = np.array(cut.documents, dtype=np.int32)
    return Contexts(tokens, documents, opened.name, special, added, model.vocabulary_sha256, summary)


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
