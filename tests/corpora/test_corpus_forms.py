"""One corpus in every form that people have: tokens, document numbers and counts are those of a plain list."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
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
from tests.examples.byte_model import ByteModel

TEXTS = [
    "abcdefghijklmnop",
    None,
    "",
    "qrstuvw 日本語 \U0001f469\u200d\U0001f469",
    "abcdefg",
    'he said "no", twice\tand\r\nleft',
    "NA",
    "  null  ",
]
ROWS: list[dict[str, Any]] = [{"n": i, "text": text, "tags": ["x"]} for i, text in enumerate(TEXTS)]


class Foreign:
    """A table or column of a library that gives its data as Arrow does, and nothing else."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        return self.held.__arrow_c_stream__(requested_schema)


class ForeignArray:
    """One that gives a single array."""

    def __init__(self, held: pa.Array) -> None:
        self.held = held

    def __arrow_c_array__(self, requested_schema: object = None) -> Any:
        return self.held.__arrow_c_array__(requested_schema)


def frame() -> pd.DataFrame:
    table = pd.DataFrame({"n": range(len(TEXTS)), "text": pd.Series(TEXTS, dtype=object)})
    return table.set_axis([7] * len(TEXTS))


def column(kind: Any = None) -> Any:
    return pa.chunked_array([pa.array(TEXTS[:3], kind), pa.array(TEXTS[3:], kind)])


def hub_like() -> datasets.Dataset:
    return datasets.Dataset.from_list(ROWS)


IN_MEMORY: dict[str, Callable[[], Any]] = {
    "tuple": lambda: tuple(TEXTS),
    "generator": lambda: (text for text in TEXTS),
    "records": lambda: ROWS,
    "generator of records": lambda: iter(ROWS),
    "numpy": lambda: np.array(TEXTS, dtype=object),
    "frame": frame,
    "records of a frame": lambda: frame().to_dict("records"),
    "series": lambda: frame()["text"],
    "series, pandas' strings": lambda: frame()["text"].astype("string"),
    "series, Arrow's strings": lambda: frame()["text"].astype(pd.ArrowDtype(pa.string())),
    "series, categories": lambda: frame()["text"].astype("category"),
    "index": lambda: pd.Index(TEXTS),
    "pyarrow table": lambda: pa.table({"n": range(len(TEXTS)), "text": column()}),
    "pyarrow batches": lambda: pa.table({"text": column()}).to_reader(),
    "pyarrow column": lambda: column(pa.large_string()),
    "pyarrow array": lambda: pa.array(TEXTS, pa.string_view()),
    "foreign table": lambda: Foreign(pa.table({"text": column(pa.string_view()), "n": range(len(TEXTS))})),
    "foreign column": lambda: Foreign(column(pa.string_view())),
    "foreign array": lambda: ForeignArray(pa.array(TEXTS)),
    "foreign categories": lambda: Foreign(pa.table({"text": column().dictionary_encode()})),
    "data set": hub_like,
    "data set, formatted": lambda: hub_like().with_format("numpy"),
    "data set, streamed": lambda: hub_like().to_iterable_dataset(),
    "column of a data set": lambda: hub_like()["text"],
}


def separated(delimiter: str) -> bytes:
    file = io.StringIO()
    rows = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    rows.writerows([["n", "text"], *([i, text] for i, text in enumerate(TEXTS))])
    return file.getvalue().encode("utf-8-sig")  # as a spreadsheet writes it


def parquet(kind: Any) -> bytes:
    file = io.BytesIO()
    texts = pa.array(TEXTS).dictionary_encode() if kind is None else pa.array(TEXTS, kind)
    pq.write_table(pa.table({"text": texts, "n": range(len(TEXTS))}), file, row_group_size=3)
    return file.getvalue()


LINES = "".join(json.dumps(row, ensure_ascii=bool(row["n"] % 2)) + "\n" for row in ROWS).encode()
FILES: dict[str, bytes] = {
    "lines.jsonl": LINES,
    "lines.ndjson": b"\n" + LINES.replace(b"\n", b"\r\n\n"),
    "array.json": json.dumps(ROWS, indent=2).encode(),
    "strings.json": json.dumps(TEXTS).encode(),
    "really-lines.json": LINES,
    "commas.csv": separated(","),
    "tabs.tsv": separated("\t"),
    "strings.parquet": parquet(pa.string()),
    "large.parquet": parquet(pa.large_string()),
    "views.parquet": parquet(pa.string_view()),
    "categories.parquet": parquet(None),
}


def zstandard(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": lambda data: gzip.compress(data[:40]) + gzip.compress(data[40:]),  # as `cat` joins them
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": lambda data: zstandard(data[:40]) + zstandard(data[40:]),
}


def check_equal(corpus: object) -> None:
    model = ByteModel()
    expected, found = load_contexts(TEXTS, model, length=8), load_contexts(corpus, model, length=8)
    assert found.sha256 == expected.sha256
    np.testing.assert_array_equal(found.documents, expected.documents)
    assert set(found.documents) == {0, 3, 4, 5, 7}
    assert found.summary is not None and expected.summary is not None
    assert (found.summary.documents, found.summary.skipped) == (6, 2)
    assert found.summary.characters == expected.summary.characters == sum(len(text or "") for text in TEXTS)


@pytest.mark.parametrize("form", IN_MEMORY)
def test_what_is_in_memory_reads_as_a_list(form: str) -> None:
    check_equal(IN_MEMORY[form]())


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("name", FILES)
def test_a_file_reads_as_a_list(name: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / (name + suffix.upper())
    path.write_bytes(COMPRESS[suffix](FILES[name]))
    check_equal(path)


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.py"])
def test_a_text_file_is_one_document_packed_or_not(name: str, suffix: str, tmp_path: Path) -> None:
    path, model = tmp_path / (name + suffix), ByteModel()
    path.write_bytes(COMPRESS[suffix]("def f():\r\n    return 'é'\r\n".encode() * 9))
    expected = load_contexts(["def f():\n    return 'é'\n" * 9], model, length=8)
    assert load_contexts(path, model, length=8).sha256 == expected.sha256


def test_the_texts_stand_in_any_column(tmp_path: Path) -> None:
    model, rows = ByteModel(), [{"text": 1, "the body": text} for text in TEXTS]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    pd.DataFrame(rows).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame(rows).to_csv(tmp_path / "a.csv", index=False)
    expected = load_contexts(TEXTS, model, length=8).sha256
    forms = [rows, pd.DataFrame(rows), pa.Table.from_pylist(rows), datasets.Dataset.from_list(rows)]
    for corpus in [*forms, *sorted(tmp_path.iterdir())]:
        assert load_contexts(corpus, model, length=8, field="the body").sha256 == expected


def test_an_atlas_knows_the_contexts_and_a_given_name() -> None:
    model = ByteModel()
    unnamed, named = load_contexts(TEXTS, model, length=8), load_contexts(TEXTS, model, length=8, name="mine")
    assert (unnamed.name, named.name) == ("in memory", "mine")
    assert unnamed.sha256 == named.sha256
