"""Many arrays as one compressed buffer, which packing.js opens in the browser without asking a network for anything."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from nbkit.errors import NbkitError

TYPES = ("uint8", "int8", "uint16", "uint32", "int32", "float32")
"""What both sides know; little-endian."""
OWN_CODES = 1500
"""Bytes from which an array is worth Huffman codes of its own."""
ALIGNMENT = 4  # a typed array of the browser starts at a multiple of its element's size

Layout = dict[str, tuple[str, int, list[int]]]
"""Of each array its type, the byte at which it starts, and its shape."""


def pack(arrays: Mapping[str, np.ndarray]) -> tuple[Layout, bytes]:
    """Put arrays one after another into a zlib stream.

    Returns:
        Where each array lies in the stream once it is unpacked, and the stream.

    Raises:
        NbkitError: an array has a type that is not one of `TYPES`.
    """
    layout: Layout = {}
    parts: list[bytes] = []
    offset = 0
    for name, array in arrays.items():
        if array.dtype.name not in TYPES:
            raise NbkitError(f"The array {name!r} has type {array.dtype}: convert it to one of {', '.join(TYPES)}.")
        layout[name] = (array.dtype.name, offset, list(array.shape))
        raw = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
        parts.append(raw + bytes(-len(raw) % ALIGNMENT))
        offset += len(parts[-1])
    strategies = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED)  # the one for text, the other for numbers
    return layout, min((_compressed(parts, strategy) for strategy in strategies), key=len)


def _compressed(parts: Sequence[bytes], strategy: int) -> bytes:
    stream = zlib.compressobj(level=9, memLevel=9, strategy=strategy)
    packed = []
    for part in parts:
        packed.append(stream.compress(part))
        if len(part) >= OWN_CODES:
            packed.append(stream.flush(zlib.Z_BLOCK))
    return b"".join([*packed, stream.flush()])
