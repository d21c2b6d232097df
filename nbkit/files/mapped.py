"""Arrays that are larger than memory: mapped from a file, and gone through part by part."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import cast

import numpy as np
from jaxtyping import Int, Shaped

PART_BYTES = 1 << 22
"""Of a part, about."""


def parts(array: Shaped[np.ndarray, "n ..."]) -> Iterator[Shaped[np.ndarray, "some ..."]]:
    """The rows of an array in order, some at a time; what a mapped file took up of memory is given back after each."""
    n_rows = max(1, PART_BYTES * len(array) // max(1, array.nbytes))
    for start in range(0, len(array), n_rows):
        yield array[start : start + n_rows]
        release(array)


def distinct(array: Int[np.ndarray, "n ..."]) -> Int[np.ndarray, " n_values"]:
    """The values that an array holds, ascending, each once."""
    found = np.empty(0, dtype=array.dtype)
    for part in parts(array):
        found = np.union1d(found, part)
    return found


def release(array: np.ndarray) -> None:
    """Gives back the memory that a mapped file takes up, which is all of it that was read since it was mapped; what is
    read again comes from the file again. Does nothing to an array that isn't mapped, or can be written to."""
    base, mapped = cast(object, array), False
    while isinstance(base, np.ndarray):
        if isinstance(base, np.memmap):
            if base.mode != "r":  # of a private copy, changes would be lost
                return
            mapped = True
        base = base.base
    if mapped and isinstance(base, mmap.mmap) and hasattr(base, "madvise"):  # Windows has none
        base.madvise(mmap.MADV_DONTNEED)
