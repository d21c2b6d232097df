"""Bits that flip."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np


def flipped(content: bytes, bit: int) -> bytes:
    """`content` with one other bit."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def with_flipped_bits(path: Path, times: int, seed: int = 0) -> Iterator[int]:
    """Flips one bit of a file, its times kept, and puts it back; `times` times. Gives the bit's number."""
    whole, before = path.read_bytes(), path.stat()
    for bit in np.random.default_rng(seed).integers(8 * len(whole), size=times).tolist():
        with path.open("r+b") as file:
            file.seek(bit // 8)
            file.write(flipped(whole, bit)[bit // 8 : bit // 8 + 1])
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        yield bit
        path.write_bytes(whole)
