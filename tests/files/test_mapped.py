"""Arrays that are mapped from files: what they hold, and how much of them stays in memory."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from nbkit.errors import NbkitError
from nbkit.files import distinct, map_array, mapped, parts, read_tensors, release, write_tensors

PAGE = mmap.PAGESIZE


def resident(path: Path, expected: int) -> int:
    """Bytes of a file that are mapped into this process and in memory; the expected number where only Linux tells."""
    if sys.platform != "linux":
        return expected
    kilobytes, mine = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in (first := line.split()[0]) and not first.endswith(":"):
            mine = line.endswith(str(path))
        elif mine and first == "Rss:":
            kilobytes += int(line.split()[1])
    return kilobytes << 10


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of 8 MB with a tensor of as many bytes."""
    path = tmp_path / "large.safetensors"
    write_tensors({"values": np.arange(1 << 21, dtype=np.int32).reshape(-1, 16)}, path)
    return path


@pytest.mark.parametrize("dtype", ["float64", "float16", "int64", "int32", "int16", "uint8", "bool"])
def test_a_mapped_array_holds_what_was_written(dtype: str, tmp_path: Path) -> None:
    array = np.arange(24).reshape(4, 3, 2).astype(dtype)
    write_tensors({"odd": np.arange(3, dtype=np.uint8), "array": array, "none": array[:0]}, tmp_path / "some")
    found = map_array(tmp_path / "some", "array")
    np.testing.assert_array_equal(found, array, strict=True)
    assert map_array(tmp_path / "some", "none").shape == (0, 3, 2)
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 0


def test_arrays_are_written_as_tensors_are(tmp_path: Path) -> None:
    strange = np.arange(24, dtype=np.int32).reshape(6, 4)[::2].T
    arrays = {"a": strange, "b": strange.astype(">i8"), "c": np.ones(1, dtype=np.float32), "d": np.array(7)}
    write_tensors(arrays, tmp_path / "arrays")
    tensors = {name: torch.tensor(array.astype(array.dtype.newbyteorder("="))) for name, array in arrays.items()}
    write_tensors(tensors, tmp_path / "tensors")
    assert (tmp_path / "arrays").read_bytes() == (tmp_path / "tensors").read_bytes()
    for name, array in load_file(tmp_path / "arrays").items():
        np.testing.assert_array_equal(array, arrays[name])


def test_what_is_not_there_or_damaged_is_refused(large: Path) -> None:
    for path, name in ((large, "others"), (large.with_name("nowhere"), "values")):
        with pytest.raises(NbkitError, match=r"can't be read .*delete it and make it again"):
            map_array(path, name)
    write_tensors({"values": torch.ones(3, dtype=torch.bfloat16)}, large.with_name("narrow"))
    with pytest.raises(NbkitError, match="bfloat16"):
        map_array(large.with_name("narrow"), "values")
    contents = bytearray(large.read_bytes())
    contents[-1] ^= 1
    large.write_bytes(contents)
    with pytest.raises(NbkitError, match="damaged"):
        map_array(large, "values")


def test_pieces_are_the_rows_in_order_and_leave_memory(large: Path) -> None:
    array = map_array(large, "values")
    total, most, n = 0, 0, 0
    for part in parts(array):
        total += int(part.sum(dtype=np.int64))
        most, n = max(most, resident(large, 0)), n + 1
    assert total == ((1 << 21) - 1) * (1 << 20) and n == 2
    assert most <= mapped.PART_BYTES + (1 << 17)
    assert resident(large, 0) == 0
    assert array.sum(dtype=np.int64) == total, "what was given back is read again"
    assert resident(large, 8 << 20) >= 8 << 20
    release(array[3:5].T)
    assert resident(large, 0) == 0


@pytest.mark.parametrize("mode", ["c", "r+", "w+"])
def test_what_was_changed_is_never_given_back(mode: Any, tmp_path: Path) -> None:
    array = np.memmap(tmp_path / "own", np.uint8, "w+", shape=(3 * PAGE,))
    array.flush()
    own = np.memmap(tmp_path / "own", np.uint8, mode, shape=(3 * PAGE,))
    own[PAGE] = 7
    for _ in parts(own.view(np.ndarray)[PAGE:]):
        pass
    assert own[PAGE] == 7


def test_rows_in_memory_come_in_pieces_too(monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.random.default_rng(0).integers(0, 9, (7, 5))
    monkeypatch.setattr(mapped, "PART_BYTES", 2 * array[0].nbytes)
    assert [len(part) for part in parts(array)] == [2, 2, 2, 1]
    np.testing.assert_array_equal(np.concatenate(list(parts(array))), array)
    np.testing.assert_array_equal(distinct(array), np.unique(array), strict=True)
    assert list(parts(array[:0])) == [] and distinct(array[:0]).tolist() == []
    assert [len(part) for part in parts(np.zeros((3, 0)))] == [3]


def test_a_mapped_array_is_written_without_keeping_it(large: Path) -> None:
    array = map_array(large, "values")
    write_tensors({"values": array}, large.with_name("second"))
    assert resident(large, 0) == 0
    np.testing.assert_array_equal(read_tensors(large.with_name("second"))["values"].numpy(), array)
