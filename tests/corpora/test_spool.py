"""Rows that are put away as they come: the same in memory and on disk."""

from __future__ import annotations

import errno
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbkit.corpora import spool
from nbkit.corpora.repeats import Repeats
from nbkit.corpora.spool import Spool
from nbkit.errors import NbkitError


@pytest.mark.parametrize("in_memory", [1, 60, 1 << 23])
@pytest.mark.parametrize("n", [0, 1, 5, 6, 50])
def test_rows_come_back_in_order(n: int, in_memory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY_BYTES", in_memory)
    rows = np.random.default_rng(0).integers(-(2**31), 2**31, (n, 3)).astype(np.int32)
    with closing(Spool(3, tmp_path)) as some:
        for row in rows:
            some.add(row)
        found = some.array()
    np.testing.assert_array_equal(found, rows, strict=True)
    assert found.flags.writeable == (rows.nbytes <= in_memory)
    assert list(tmp_path.iterdir()) == [], "no name is left behind"


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with closing(Spool(3, tmp_path)) as some:
        monkeypatch.setattr(some._file, "write", full)
        with pytest.raises(NbkitError, match=rf"can't keep the contexts in {tmp_path} \(No space left on device\)"):
            some.add(np.zeros(3, dtype=np.int32))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40))
def test_a_row_repeats_if_an_equal_one_came_before(rows: list[tuple[int, int]]) -> None:
    with closing(Repeats()) as repeats:
        found = [repeats.add(np.array(row, dtype=np.int32)) for row in rows]
    assert found == [row in rows[:i] for i, row in enumerate(rows)]


def test_rows_that_fill_no_memory_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbkit.corpora.repeats.CACHE_KILOBYTES", 64)
    with closing(Repeats()) as repeats:
        rows = np.arange(20_000, dtype=np.int32)[:, None]
        assert not any(repeats.add(row) for row in rows)
        assert all(repeats.add(row) for row in rows[::-1])


def test_a_full_disk_of_temporary_files_is_told() -> None:
    with closing(Repeats()) as repeats:
        repeats._rows.execute("PRAGMA max_page_count = 3")
        with pytest.raises(NbkitError, match=r"database or disk is full.*TMPDIR"):
            any(repeats.add(np.array([number], dtype=np.int32)) for number in range(2000))
