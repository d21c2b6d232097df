"""Texts that are in memory already: lists, generators, tables and columns of any library."""

import io
import sys
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

from nbkit.corpora.columns import arrow_rows
from nbkit.corpora.document_text import Found, check_column, found_in
from nbkit.errors import NbkitError


def read_memory(corpus: object, field: str, name: str) -> Iterator[Found]:
    """Yield the texts of an object in memory, in its order, each when it is asked for.

    Raises:
        NbkitError: at once if it is no corpus; while reading if a row holds no text.
    """
    import pandas as pd

    if isinstance(corpus, pd.DataFrame):
        check_column(corpus.columns, field, f"Corpus {name}")
        return _rows(corpus[field], f"Corpus {name}", f', column "{field}"')
    if isinstance(corpus, pd.Series):
        return _rows(corpus, f"Corpus {name}", "")
    if hasattr(corpus, "__arrow_c_stream__") or hasattr(corpus, "__arrow_c_array__"):
        return arrow_rows(corpus, field, name)
    kind = type(corpus).__name__
    if isinstance(corpus, Mapping):
        parts = ", ".join(str(key)[:30] for key in list(corpus)[:6])
        raise NbkitError(f"A corpus is not a {kind}: give one of its parts ({parts or 'it has none'}).")
    if isinstance(corpus, Set):
        raise NbkitError(f"A corpus is not a {kind}, which has no order: give a list.")
    if isinstance(corpus, bytes | bytearray | memoryview | io.IOBase) or not isinstance(corpus, Iterable):
        raise NbkitError(
            f"A corpus is not of type {kind}: give a name, a path, or texts in memory (a list, generator, column "
            "or table)."
        )
    return _records(_only_column(corpus, field, name), field, f"Corpus {name}")


def _only_column(corpus: Any, field: str, name: str) -> Iterable[object]:
    """Of one of Hugging Face's data sets the one column, so that pictures and sounds in others are not decoded."""
    datasets = sys.modules.get("datasets")  # whoever has one has imported it
    if datasets is None or not isinstance(corpus, datasets.Dataset | datasets.IterableDataset):
        rows: Iterable[object] = corpus
        return rows
    if corpus.column_names is not None:
        check_column(corpus.column_names, field, f"Corpus {name}")
        corpus = corpus.select_columns([field])
    plain: Iterable[object] = corpus.with_format(None)
    return plain


def _records(corpus: Iterable[object], field: str, place: str) -> Iterator[Found]:
    for number, record in enumerate(corpus, start=1):
        yield found_in(record, f"{place}, row {number}", field)


def _rows(values: Iterable[object], place: str, column: str) -> Iterator[Found]:
    for number, value in enumerate(values, start=1):
        yield Found(f"{place}, row {number}{column}", value)
