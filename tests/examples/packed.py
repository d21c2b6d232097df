"""What packing.js makes of packed arrays, in Python."""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np

from nbkit.explorers.shared.packing import Layout


def unpacked(layout: Layout, packed: bytes) -> dict[str, np.ndarray]:
    """The arrays by name."""
    raw = zlib.decompress(packed)
    return {
        name: np.frombuffer(raw, np.dtype(kind).newbyteorder("<"), int(np.prod(shape)), start).reshape(shape)
        for name, (kind, start, shape) in layout.items()
    }


def opened(layout: Layout, packed: bytes) -> tuple[dict[str, np.ndarray], Any]:
    """The arrays of an atlas's shard, and its text read."""
    arrays = unpacked(layout, packed)
    return arrays, json.loads(arrays["json"].tobytes()) if "json" in arrays else None
