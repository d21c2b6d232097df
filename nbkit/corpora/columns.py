"""Texts in a column of a table: Parquet files, and what gives its data as Arrow does (Polars, PyArrow, DuckDB, …)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbkit.corpora.document_text import Found, check_column
from nbkit.corpora.opened_file import decompressed
from nbkit.errors import NbkitError

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 256
_BUFFER = 1 << 20  # bytes of a column that are read at a time, however large its row group


def read_parquet(path: Path, field: str) -> Iterator[Found]:
    """Yield the column's text of each row."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with decompressed(path) as opened, pq.ParquetFile(opened, buffer_size=_BUFFER, pre_buffer=False) as file:
            schema = file.schema_arrow
            check_column(schema.names, field, str(path))
            _check_type(schema.field(field).type, f'{path}: column "{field}"')
            columns = (batch.column(0) for batch in file.iter_batches(batch_size=_ROWS, columns=[field]))
            yield from _rows(columns, str(path), f', column "{field}"')
    except (pa.ArrowException, OSError) as error:
        raise NbkitError(f"{path} can't be read as Parquet ({str(error).splitlines()[0]}).") from error


def arrow_rows(source: Any, field: str, name: str) -> Iterator[Found]:
    """Yield the texts of an object with Arrow's C interface, by its stream or its array: of a table the column `field`,
    of a column all."""
    import pyarrow as pa

    place = f"Corpus {name}"
    try:
        if hasattr(source, "__arrow_c_stream__"):
            try:
                batches = pa.RecordBatchReader.from_stream(source)
            except pa.ArrowInvalid:  # not a table
                batches = pa.chunked_array(source)
        else:
            batches = pa.chunked_array([pa.array(source)])
        if isinstance(batches, pa.ChunkedArray):
            _check_type(batches.type, place)
            yield from _rows(batches.chunks, place, "")
            return
        check_column(batches.schema.names, field, place)
        _check_type(batches.schema.field(field).type, f'{place}: column "{field}"')
        column = batches.schema.get_field_index(field)
        yield from _rows((batch.column(column) for batch in batches), place, f', column "{field}"')
    except pa.ArrowException as error:
        raise NbkitError(f"{place} can't be read through Arrow ({str(error).splitlines()[0]}).") from error


def _check_type(kind: pa.DataType, place: str) -> None:
    import pyarrow.types as types

    if types.is_dictionary(kind):
        kind = kind.value_type
    strings = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
    if not any(is_kind(kind) for is_kind in strings):
        raise NbkitError(f"{place} holds {kind}, not strings: give `field`, the column of the texts.")


def _rows(columns: Iterable[Any], place: str, column: str) -> Iterator[Found]:
    number = 0
    for values in columns:
        for start in range(0, len(values), _ROWS):
            part = values.slice(start, _ROWS)
            for value in _strings(part, number, place, column):
                number += 1
                yield Found(f"{place}, row {number}{column}", value)


def _strings(part: Any, before: int, place: str, column: str) -> list[str | None]:
    try:
        strings: list[str | None] = part.to_pylist()
        return strings
    except UnicodeDecodeError as error:
        for number, scalar in enumerate(part, start=before + 1):
            try:
                scalar.as_py()
            except UnicodeDecodeError:
                raise NbkitError(f"{place}, row {number}{column}: this is not valid UTF-8 text.") from error
        raise
