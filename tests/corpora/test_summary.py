"""What reading tells: counts worked out by hand, repeats found and left out, and no more read than is needed."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbkit.corpora import load_contexts
from nbkit.corpora.summary import CorpusSummary
from nbkit.errors import NbkitError
from tests.examples.byte_model import ByteModel, texts_of

A, B = "aaaaaaa", "bbbbbbb"


def summary_of(*texts: str | None, limit: int = 100, unique: bool = False) -> CorpusSummary:
    summary = load_contexts(list(texts), ByteModel(), length=8, limit=limit, unique=unique).summary
    assert summary is not None
    return summary


def test_everything_is_counted() -> None:
    texts = [A + B + "cc", None, "", A + "d", "é", B]
    summary = summary_of(*texts)
    assert summary == CorpusSummary(
        corpus="in memory",
        documents=4,
        skipped=2,
        characters=16 + 8 + 1 + 7,
        contexts=4,
        length=8,
        dropped_tokens=2 + 1 + 2,
        repeated=2,
        unique=False,
    )
    assert str(summary) == (
        "Corpus in memory: 4 documents (2 without text skipped), 32 characters; 4 contexts of 8 tokens, 2 repeat an "
        "earlier one; 5 tokens at ends of documents dropped."
    )


def test_repeats_are_left_out_when_asked_for() -> None:
    model, texts = ByteModel(), [A + B, B, "ccccccc" + A]
    contexts = load_contexts(texts, model, length=8, unique=True)
    assert texts_of(contexts, model.tokenizer) == [A, B, "ccccccc"]
    assert contexts.documents.tolist() == [0, 0, 2]
    assert contexts.summary is not None
    assert (contexts.summary.contexts, contexts.summary.repeated) == (3, 2)
    assert "3 contexts of 8 tokens, 2 more left out that repeat one" in str(contexts.summary)
    assert "none repeated" in str(summary_of(A, B)) and "none repeated" in str(summary_of(A, B, unique=True))
    # they do not count toward the limit
    assert len(load_contexts([A] * 50 + [B], model, length=8, limit=2, unique=True).tokens) == 2


@given(st.lists(st.text("ab", max_size=16), max_size=20), st.integers(1, 12), st.booleans())
def test_counts_are_those_of_a_plain_loop(texts: list[str], limit: int, unique: bool) -> None:
    rows: list[str] = []
    documents = skipped = characters = dropped = repeated = 0
    seen: set[str] = set()
    for text in texts:
        if len(rows) == limit:
            break
        documents, skipped, characters = documents + bool(text), skipped + (not text), characters + len(text)
        for start in range(0, len(text) - 6, 7):
            row = text[start : start + 7]
            repeated += row in seen
            if not (unique and row in seen):
                rows.append(row)
            seen.add(row)
            if len(rows) == limit:
                break
        else:
            dropped += len(text) % 7
    if not rows:
        with pytest.raises(NbkitError, match=f"{documents} documents with text were read and {skipped} without"):
            summary_of(*texts, limit=limit, unique=unique)
        return
    found = summary_of(*texts, limit=limit, unique=unique)
    assert (found.documents, found.skipped, found.characters) == (documents, skipped, characters)
    assert (found.contexts, found.dropped_tokens, found.repeated) == (len(rows), dropped, repeated)


def test_a_generator_is_asked_for_little_more_than_is_needed() -> None:
    asked = 0

    def endless() -> Iterator[str]:
        nonlocal asked
        while True:
            asked += 1
            yield "abcdefghij" * 2

    contexts = load_contexts(endless(), ByteModel(), length=8, limit=1000)
    assert len(contexts.tokens) == 1000
    assert 500 <= asked < 600  # two contexts each


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv"])
def test_a_large_file_is_never_in_memory(name: str, tmp_path: Path) -> None:
    path, wide = tmp_path / name, "x" * 5000
    texts = ["short"] * 4000 + ["the end"]  # all but one too short for a context
    rows = [f"{text},{wide}\n" if name == "a.csv" else f'{{"text": "{text}", "n": "{wide}"}}\n' for text in texts]
    content = (("text,n\n" if name == "a.csv" else "") + "".join(rows)).encode()
    path.write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)
    load_contexts(["abcdefgh"], ByteModel(), length=8)  # imports
    tracemalloc.start()
    try:
        contexts = load_contexts(path, ByteModel(), length=8)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert contexts.documents.tolist() == [4000]
    assert peak < 6e6 < len(content) / 3


def test_a_large_row_group_is_read_in_pieces(tmp_path: Path) -> None:
    texts = [f"{i:04d}" * 2500 for i in range(4000)]
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet", compression="none", use_dictionary=False)
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == 1
    pool, usual = pa.proxy_memory_pool(pa.default_memory_pool()), pa.default_memory_pool()
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        load_contexts(tmp_path / "a.parquet", ByteModel(), length=8, limit=10)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(usual)
    assert 0 < max(pool.max_memory(), peak) < 13e6 < sum(map(len, texts)) / 3


def test_the_limit_is_reached_before_the_end(tmp_path: Path) -> None:
    found = summary_of(A + B, "ccccccc", "d" * 70, limit=3)
    assert (found.documents, found.contexts, found.dropped_tokens) == (2, 3, 0)
    np.testing.assert_equal(found.characters, 21)
