"""What is no corpus, or not all of it: one sentence that says where, whatever form it has."""

from __future__ import annotations

import gzip
import lzma
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nbkit.corpora import load_contexts
from nbkit.errors import NbkitError
from tests.examples.byte_model import ByteModel

LINE = b'{"text": "abcdefgh"}\n'
FILES: dict[str, tuple[bytes, str]] = {
    "a.log": (b"text", r"a\.log has the suffix '\.log': a corpus is made of files \.txt, \.md, .*each also \.gz"),
    "a": (b"text", r"a has no suffix: a corpus is made of files"),
    "packed.gz": (gzip.compress(LINE), r"packed\.gz has the suffix '\.gz'"),
    "empty.txt": (b"", r"empty\.txt has no document of 7 tokens, .*: 0 documents with text were read and 1 without"),
    "empty.jsonl": (b"\n\n", r"Corpus empty\.jsonl has no document of 7 tokens"),
    "empty.json": (b" \n", r"Corpus empty\.json has no document"),
    "empty.csv": (b"", r"Corpus empty\.csv has no document"),
    "empty.jsonl.gz": (gzip.compress(b""), r"Corpus empty\.jsonl\.gz has no document"),
    "nulls.jsonl": (b'{"text": null}\n' * 3, r"0 documents with text were read and 3 without"),
    "short.txt": (b"abc", r"no document of 7 tokens, the least that fills a context of 8: 1 documents with text"),
    "latin-1.txt": (b"first line\ncaf\xe9 au lait\n", r"latin-1\.txt is not UTF-8 text: byte 14 is not \(line 2\)"),
    "latin-1.csv": (b"text\ncaf\xe9\n", r"latin-1\.csv is not UTF-8 text: byte 8 is not"),
    "utf-16.txt": ("hello".encode("utf-16"), r"utf-16\.txt is not UTF-8 text: byte 0 is not"),
    "bytes.jsonl": (b'{"text": "\xff"}', r"bytes\.jsonl is not UTF-8 text: byte 10"),
    "half.jsonl": (LINE + b"\n" + b'{"text": \n', r"half\.jsonl, line 3: this is not JSON"),
    "half.json": (b'[{"text": "abcdefgh"},', r"half\.json: this is not JSON"),
    "deep.jsonl": (LINE + b"[" * 100_000, r"deep\.jsonl, line 2: this is JSON nested too deeply"),
    "deep.json": (b'{"text":' * 100_000, r"deep\.json: this is JSON nested too deeply"),
    "digits.jsonl": (b'{"text": ' + b"9" * 5000 + b"}", r"digits\.jsonl, line 1: this is not JSON"),
    "no-field.jsonl": (b'{"txt": "abc"}\n', r'no-field\.jsonl, line 1 has no field "text", only txt\.'),
    "no-names.jsonl": (b"{}\n", r'line 1 has no field "text", nor any other'),
    "number.jsonl": (LINE + b'{"text": 3}\n', r'number\.jsonl, line 2, field "text" holds int, not a string'),
    "list.jsonl": (b'{"text": ["a"]}\n', r'line 1, field "text" holds list, not a string'),
    "array.jsonl": (b'["text"]\n', r"array\.jsonl, line 1 holds list, not a string"),
    "twice.jsonl": (b'{"text": "abcdefgh", "text": "b"}\n', r'line 1 has 2 columns "text"'),
    "surrogate.jsonl": (b'{"text": "abc\\ud800defgh"}\n', r'line 1, field "text": character 4 is half of a surrogate'),
    "columns.json": (b'{"text": {"0": "abcdefgh"}}', r'columns\.json, line 1, field "text" holds dict'),
    "record.json": (b'[{"text": "a"}, {"body": "b"}]', r'record\.json, record 2 has no field "text", only body'),
    "no-header.csv": (b"abc,def\n", r'whose first line must name the columns, has no column "text", only abc, def\.'),
    "semicolons.csv": (b"n;text\n1;abcdefgh\n", r'has no column "text", only n;text'),
    "twice.csv": (b"text,text\na,b\n", r'has 2 columns "text"'),
    "few.csv": (b"n,text\n1\n", r"few\.csv, line 2: the row has 1 fields, and the first line names 2 columns"),
    "many.csv": (b"n,text\n1,a,b\n", r"many\.csv, line 2: the row has 3 fields"),
    "open-quote.csv": (
        b'text\n"abc\ndef\n',
        r"open-quote\.csv, line 3: this can't be read as a table \(unexp",
    ),
    "stray-quote.tsv": (b'text\n"abc"def\n', r"stray-quote\.tsv, line 2: this can't be read as a table"),
    "old-mac.csv": (b"text\rabc\r", r"old-mac\.csv, line 1: this can't be read as a table"),
    "cut.jsonl.gz": (gzip.compress(LINE * 99)[:-9], r"cut\.jsonl\.gz can't be read as gzip"),
    "cut.jsonl.xz": (lzma.compress(LINE * 99)[:-9], r"cut\.jsonl\.xz can't be read as XZ"),
    "plain.jsonl.gz": (LINE, r"plain\.jsonl\.gz can't be read as gzip \(Not a gzipped file"),
    "plain.jsonl.xz": (LINE, r"plain\.jsonl\.xz can't be read as XZ"),
    "plain.jsonl.bz2": (LINE, r"plain\.jsonl\.bz2 can't be read as bzip2"),
    "plain.jsonl.zst": (LINE, r"plain\.jsonl\.zst can't be read as Zstandard"),
    "other.csv.zst": (gzip.compress(LINE), r"other\.csv\.zst can't be read as Zstandard"),
    "packed.jsonl": (gzip.compress(LINE), r"packed\.jsonl holds gzip data, not the text that its suffix stands for"),
    "archive.txt": (b"PK\x03\x04 and more", r"archive\.txt holds ZIP data"),
    "table.csv": (b"PAR1 and more", r"table\.csv holds Parquet data"),
    "no.parquet": (b"PAR1 nothing", r"no\.parquet can't be read as Parquet \("),
    "empty.parquet": (b"", r"empty\.parquet can't be read as Parquet \("),
    "text.parquet.gz": (gzip.compress(LINE), r"text\.parquet\.gz can't be read as Parquet"),
    "cut.parquet.gz": (gzip.compress(LINE)[:-3], r"cut\.parquet\.gz can't be read as gzip"),
}


def refusal(corpus: object, **options: Any) -> str:
    """What a user is told: short, and in one or two sentences."""
    with pytest.raises(NbkitError) as error:
        load_contexts(corpus, options.pop("model", ByteModel()), **{"length": 8, **options})
    message = str(error.value)
    assert len(message) <= 300 + len(os.fspath(corpus) if isinstance(corpus, Path) else ""), message
    assert "\n" not in message
    return message


def check(message: str, pattern: str) -> None:
    with pytest.raises(NbkitError, match=pattern):
        raise NbkitError(message)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    content, pattern = FILES[name]
    (tmp_path / name).write_bytes(content)
    check(refusal(tmp_path / name), pattern)


def not_utf8() -> pa.Array:
    offsets, data = np.array([0, 8, 10], np.int32), b"abcdefgh\xff\xfe"
    return pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(offsets), pa.py_buffer(data)])


COLUMNS: dict[str, tuple[pa.Table, str]] = {
    "absent": (pa.table({"body": ["abc"], "n": [1]}), r'has no column "text", only body, n\.'),
    "numbers": (pa.table({"text": [1, 2]}), r'column "text" holds int64, not strings'),
    "bytes": (pa.table({"text": [b"a"]}), r'column "text" holds binary, not strings'),
    "lists": (pa.table({"text": [["a"]]}), r'column "text" holds list<.*>, not strings'),
    "records": (pa.table({"text": [{"a": "b"}]}), r'column "text" holds struct<.*>, not strings'),
    "categories of numbers": (pa.table({"text": pa.array([1, 2]).dictionary_encode()}), "holds dictionary|holds int64"),
    "twice": (pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["text", "text"]), r'has 2 columns "text"'),
    "not UTF-8": (pa.table({"text": not_utf8()}), r'row 2, column "text": this is not valid UTF-8'),
    "nulls": (pa.table({"text": pa.array([None, None])}), r"0 documents with text were read and 2 without"),
    "many": (pa.table({f"a rather long name of a column, {i}": [i] for i in range(99)}), r"and 93 more\."),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_a_column_of_something_else(case: str, tmp_path: Path) -> None:
    table, pattern = COLUMNS[case]
    pq.write_table(table, tmp_path / "rows.parquet")
    for corpus in (tmp_path / "rows.parquet", table):
        check(refusal(corpus), pattern)


def frame_of(*texts: object) -> pd.DataFrame:
    return pd.DataFrame({"text": pd.Series(texts, dtype=object)})


MEMORY: dict[str, tuple[Callable[[], object], str]] = {
    "number": (lambda: ["abcdefgh", 3], r"Corpus in memory, row 2 holds int, not a string"),
    "truth": (lambda: [True], "row 1 holds bool"),
    "bytes": (lambda: [b"abc"], "row 1 holds bytes"),
    "lists": (lambda: [["abc"]], "row 1 holds list"),
    "array": (lambda: np.zeros((2, 3)), "row 1 holds ndarray"),
    "surrogate": (lambda: ["abcdefg\ud800"], "row 1: character 8 is half of a surrogate pair"),
    "late": (lambda: (x for x in ["abcdefgh"] * 3000 + [3]), "row 3001 holds int"),  # type: ignore[list-item]
    "no field": (lambda: [{"text": "abc"}, {"body": "abc"}], r'row 2 has no field "text", only body'),
    "nested": (lambda: [{"text": {"a": 1}}], r'row 1, field "text" holds dict'),
    "empty": (list, "Corpus in memory has no document of 7 tokens"),
    "spent": (lambda: iter(()), "has no document of 7 tokens"),
    "frame": (lambda: frame_of("abcdefgh", 3), r'row 2, column "text" holds int'),
    "frame of numbers": (lambda: frame_of(1.5), r'row 1, column "text" holds float'),
    "other frame": (lambda: pd.DataFrame({"body": ["a"], ("text", "b"): ["c"]}), r'has no column "text", only body'),
    "columns twice": (lambda: pd.DataFrame([["a", "b"]], columns=["text", "text"]), r'has 2 columns "text"'),
    "dates": (lambda: pd.Series(pd.to_datetime(["2024-01-01"])), "row 1 holds Timestamp"),
    "data set": (lambda: datasets.Dataset.from_list([{"body": "a"}]), r'has no column "text", only body'),
    "splits": (
        lambda: datasets.DatasetDict(train=datasets.Dataset.from_list([{"text": "a"}])),
        r"A corpus is not a DatasetDict: give one of its parts \(train\)",
    ),
    "dict": (lambda: {"text": ["abc"]}, r"A corpus is not a dict: give one of its parts \(text\)"),
    "set": (lambda: {"abc"}, "A corpus is not a set, which has no order: give a list"),
    "bytes themselves": (lambda: b"abc", "A corpus is not of type bytes: give a name, a path, or texts in memory"),
    "None": (lambda: None, "not of type NoneType"),
    "int": (lambda: 3, "not of type int"),
    "class": (lambda: list, "not of type type"),
    "no name": (lambda: "", "The corpus has no name"),
    "long": (lambda: "word " * 1000, r"can't be the name of a file or folder \(File name too long\)"),
    "near": (lambda: "borwn", "did you mean brown"),
    "address": (lambda: "https://example.org/a.txt", "There is no file"),
}


@pytest.mark.parametrize("case", MEMORY)
def test_an_object_that_is_no_corpus(case: str) -> None:
    make, pattern = MEMORY[case]
    check(refusal(make()), pattern)


def test_an_open_file_is_no_corpus(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abcdefgh\n" * 9)
    with (tmp_path / "a.txt").open() as file:
        check(refusal(file), "not of type TextIOWrapper: give a name, a path")


def test_an_error_of_a_generator_is_its_owners() -> None:
    def broken() -> Any:
        yield "abcdefgh"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        load_contexts(broken(), ByteModel(), length=8)


OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"model": "gpt2"}, r"The model is a str: give what nbkit\.load_model returns"),
    ({"model": None}, "The model is a NoneType"),
    *(({"length": value}, f"length is {value!r}: give a whole number") for value in (True, 8.0, "8", None)),
    *(({"limit": value}, f"limit is {value!r}: give a whole number") for value in (True, 1.5, "10", np.nan)),
    ({"limit": np.array([1])}, "limit is array"),
    ({"limit": 0}, "limit is 0: it must be at least 1"),
    ({"field": 3}, "field is 3: it is the name of the column"),
    ({"field": ""}, "field is '': it is the name"),
    ({"unique": "yes"}, "unique is 'yes': it must be True or False"),
    ({"name": 3}, "name is 3"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "pattern"), OPTIONS, ids=str)
def test_an_option_of_another_type(options: dict[str, Any], pattern: str) -> None:
    check(refusal(["abcdefgh"], **options), pattern)


@pytest.mark.parametrize("limit", [np.int64(3), np.array(3), 10**30])
def test_any_whole_number_is_a_limit(limit: Any) -> None:
    contexts = load_contexts(["abcdefg"] * 5, ByteModel(), length=np.int32(8), limit=limit)  # type: ignore[arg-type]
    assert len(contexts.tokens) == min(limit, 5)
