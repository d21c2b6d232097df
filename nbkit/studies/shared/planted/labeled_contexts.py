"""What is known from outside of every token of contexts of the Brown corpus: its word and tag, and where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, Shaped

from nbkit import assets
from nbkit.corpora import Contexts, load_contexts
from nbkit.corpora.brown import N_TEXTS, brown_files
from nbkit.corpora.brown_tags import GENRES, TaggedText, tagged_text
from nbkit.corpora.loading import TextModel
from nbkit.errors import NbkitError
from nbkit.method.checks import checked_seed, checked_whole


@dataclass(frozen=True, eq=False)
class LabeledContexts:
    """Contexts with labels. A token has a word, and what comes with it, if it is the whole word; a token of a word in
    several pieces has none, since its vector need not know the word."""

    contexts: Contexts
    word: Shaped[np.ndarray, "n length"]
    """Strings, as they stand in the text; empty for a token without a word."""
    tag: Shaped[np.ndarray, "n length"]
    """Strings, see `TaggedWord`."""
    genre: Shaped[np.ndarray, " n"]
    """Strings, of each context's document."""
    place: Int[np.ndarray, "n length"]
    """How many words the sentence has before the token's."""
    left: Int[np.ndarray, "n length"]
    """How many behind it."""
    quoted: Bool[np.ndarray, "n length"]
    """Inside double quotes."""
    in_parentheses: Bool[np.ndarray, "n length"]
    in_heading: Bool[np.ndarray, "n length"]
    in_title: Bool[np.ndarray, "n length"]
    """A part of a name or title, as in "Fulton County"."""
    words: int
    """Words of the documents that the contexts were cut from."""
    lost: int
    """Of them those that were not found in the text, since it is set as a printer would."""
    in_pieces: int
    """And those that are no token of their own."""

    @property
    def has_word(self) -> Bool[np.ndarray, "n length"]:
        """Tokens that have a word."""
        known: Bool[np.ndarray, "n length"] = self.word != ""
        return known

    def take(self, rows: Int[np.ndarray, " k"]) -> LabeledContexts:
        """Some of the contexts, by number."""
        cut = _rows(self.contexts, rows)
        each = {one.name: getattr(self, one.name) for one in fields(self)}
        arrays = {name: values[rows] for name, values in each.items() if isinstance(values, np.ndarray)}
        return replace(self, contexts=cut, **arrays)


def label_contexts(model: TextModel, length: int = 64, documents: int = 150, seed: int = 0) -> LabeledContexts:
    """Cut texts of the Brown corpus into contexts and align its tags with their tokens.

    Args:
        model: whose tokenizer cuts them.
        length: tokens of a context, see `load_contexts`.
        documents: how many of the 500 texts, drawn at random, in the order of the corpus, which is that of genres.
        seed: of that draw.

    Raises:
        NbkitError: an option is out of range.
    """
    most = checked_whole("documents", documents, 2, N_TEXTS)
    tagged = _texts(_order(seed)[:most])
    return labels_of(_cut(tagged, model, length), model.tokenizer, tagged)


def other_contexts(model: TextModel, n: int, length: int = 64, documents: int = 150, seed: int = 0) -> Contexts:
    """Contexts of texts that `label_contexts` leaves out, of as many of them as it takes, or of all that are left.

    Args:
        n: contexts, drawn at random, if there are as many.
        model, length, documents, seed: as `label_contexts` got them.

    Raises:
        NbkitError: an option is out of range, or no text is left out.
    """
    most = checked_whole("documents", documents, 2, N_TEXTS - 1)
    contexts = _cut(_texts(_order(seed)[most : 2 * most]), model, length)
    drawn = np.random.default_rng(seed).permutation(len(contexts.tokens))[: checked_whole("n", n, 1)]
    return _rows(contexts, np.sort(drawn))


def _order(seed: int) -> Int[np.ndarray, " texts"]:
    """The numbers of all texts, in the order in which they are drawn."""
    return np.random.default_rng(checked_seed(seed)).permutation(N_TEXTS)


def _texts(numbers: Int[np.ndarray, " k"]) -> list[TaggedText]:
    files = list(brown_files(assets.fetch("brown")).items())
    return [tagged_text(text, GENRES[name[1]]) for name, text in (files[i] for i in np.sort(numbers))]


def _cut(texts: Sequence[TaggedText], model: TextModel, length: int) -> Contexts:
    everything = N_TEXTS * 10_000  # no text of Brown has as many tokens
    return load_contexts([each.text for each in texts], model, length, limit=everything, name="brown")


def _rows(contexts: Contexts, rows: Int[np.ndarray, " k"]) -> Contexts:
    return replace(contexts, tokens=contexts.tokens[rows], documents=contexts.documents[rows])


def labels_of(contexts: Contexts, tokenizer: Any, documents: Sequence[TaggedText]) -> LabeledContexts:
    """Align the tags of documents with the tokens that contexts were cut into.

    Args:
        contexts: of the documents' texts, all that `load_contexts` gives, in its order.
        tokenizer: that cut them.
        documents: with tags.

    Raises:
        NbkitError: the contexts hold other tokens than the texts have from their beginnings on.
    """
    n, length = contexts.tokens.shape
    text = slice(len(contexts.around.before), length - len(contexts.around.after))
    room = text.stop - text.start
    strings = {name: np.full((n, length), "", dtype=object) for name in ("word", "tag")}
    numbers = {name: np.full((n, length), -1, dtype=np.int32) for name in ("place", "left")}
    flags = {name: np.zeros((n, length), dtype=bool) for name in ("quoted", "in_parentheses", "in_heading", "in_title")}
    known: dict[str, Any] = strings | numbers | flags
    genre = np.full(n, "", dtype=object)
    in_pieces = 0
    bounds = np.flatnonzero(np.diff(contexts.documents, prepend=-1, append=-1))
    for first, behind in pairwise(bounds.tolist()):
        document = documents[contexts.documents[first]]
        read = tokenizer(
            document.text,
            add_special_tokens=False,
            split_special_tokens=True,
            return_offsets_mapping=True,
            verbose=False,
        )
        ids = np.array(read["input_ids"][: room * (behind - first)])
        if not np.array_equal(ids, contexts.tokens[first:behind, text].ravel()):
            raise NbkitError(
                f"The contexts of document {contexts.documents[first]} don't hold its text from the beginning: give "
                "all that load_contexts made of it, in order."
            )
        genre[first:behind] = document.genre
        number = {_trimmed(document.text, *span): i for i, span in enumerate(read["offset_mapping"])}
        placed = [(number.get((word.start, word.end), -1), word) for word in document.words]
        in_pieces += sum(token < 0 for token, _ in placed)
        whole = [(token, word) for token, word in placed if 0 <= token < len(ids)]
        tokens = np.array([token for token, _ in whole], dtype=np.int64)
        rows, columns = first + tokens // room, text.start + tokens % room
        for name, values in known.items():
            values[rows, columns] = [getattr(word, name) for _, word in whole]
    lost = sum(document.lost for document in documents)
    words = lost + sum(len(document.words) for document in documents)
    return LabeledContexts(contexts, genre=genre, words=words, lost=lost, in_pieces=in_pieces, **known)


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Where a token's text stands without the spaces that it begins with."""
    while start < end and text[start].isspace():
        start += 1
    return start, end
