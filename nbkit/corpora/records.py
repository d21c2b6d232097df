"""Texts in files of records: JSON Lines, JSON, CSV and TSV; a record is a document."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbkit.corpora.document_text import Found, check_column, found_in
from nbkit.corpora.opened_file import lines
from nbkit.errors import NbkitError

_LONGEST_FIELD = 1 << 27  # characters; one forgotten quote must not read the rest of a large file into memory


def read_json_lines(path: Path, field: str) -> Iterator[Found]:
    """Yield the field of each line's record; lines without anything are none."""
    for number, line in lines(path):
        if line.strip():
            yield _found(line, f"{path}, line {number}", field)


def read_json(path: Path, field: str) -> Iterator[Found]:
    """Yield the field of each record of an array, or of the one record there is.

    An array is read whole. A file that has a record on each line, as some tools write under this suffix, is not.
    """
    numbered = lines(path)
    first = next(((number, line) for number, line in numbered if line.strip()), None)
    if first is None:
        return
    number, line = first
    is_lines = not line.lstrip().startswith("[") and _is_json(line)
    if is_lines:
        yield _found(line, f"{path}, line {number}", field)
        for number, line in numbered:
            if line.strip():
                yield _found(line, f"{path}, line {number}", field)
        return
    text = line + "".join(line for _, line in numbered)
    content = _parse(text, str(path))
    if isinstance(content, list):
        for number, record in enumerate(content, start=1):
            yield found_in(record, f"{path}, record {number}", field)
    else:
        yield _found(text, str(path), field)


def _found(text: str, place: str, field: str) -> Found:
    record = _parse(text, place)
    if isinstance(record, dict) and text.count(json.dumps(field)) > 1:
        pairs = json.JSONDecoder(object_pairs_hook=list).decode(text)
        check_column([key for key, _ in pairs], field, place)  # JSON lets a key stand twice, and the last would win
    return found_in(record, place, field)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
        return True
    except (ValueError, RecursionError):
        return False


def _parse(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise NbkitError(f"{place}: this is not JSON ({error}).") from error
    except RecursionError as error:
        raise NbkitError(f"{place}: this is JSON nested too deeply to be read.") from error


def read_csv(path: Path, field: str) -> Iterator[Found]:
    """Yield the column's field of each row; the first row names the columns, and lines without anything are none."""
    yield from _table(path, field, ",")


def read_tsv(path: Path, field: str) -> Iterator[Found]:
    """Yield the column's field of each row of a table with tabs between its fields."""
    yield from _table(path, field, "\t")


def _table(path: Path, field: str, delimiter: str) -> Iterator[Found]:
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))  # the module's own is 131,072, for all readers
    rows = csv.reader((line for _, line in lines(path)), delimiter=delimiter, strict=True)
    try:
        names = next(rows, None)
        if names is None:
            return
        check_column(names, field, f"{path}, whose first line must name the columns,")
        column = names.index(field)
        for row in rows:
            if row and len(row) != len(names):
                raise NbkitError(
                    f"{path}, line {rows.line_num}: the row has {len(row)} fields, and the first line names "
                    f"{len(names)} columns. Quote texts that hold a separator."
                )
            if row:
                yield Found(f'{path}, line {rows.line_num}, column "{field}"', row[column])
    except csv.Error as error:
        raise NbkitError(f"{path}, line {rows.line_num}: this can't be read as a table ({error}).") from error
