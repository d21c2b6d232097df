"""Packed arrays as a script, which a page loads without a server.

A page that was opened as a file may run scripts and read nothing. The script is in UTF-16, and every character of its
data carries 15 bits, where base64 in ASCII carries 6 bits a byte: a fifth less on the disk. The mark that the file
begins with tells a browser so whatever the server says.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np

from nbkit.explorers.shared.packing import Layout

BITS = 15
FIRST = 0x3400
"""The character that stands for 0. None of the 32,768 from here on (Chinese, Yi, Korean …) ends a string or a line or
is half of a pair."""


def write_data_script(path: Path, layout: Layout, packed: bytes) -> None:
    """Write what `pack` made as a script, which `fromScript` of data-script.js opens."""
    head = zlib.compress(json.dumps(layout, separators=(",", ":")).encode(), level=9)
    text = f'nbkitShard("{path.stem}",[{len(head)},{len(packed)}],"{as_characters(head + packed)}");\n'
    path.write_text(text, encoding="utf-16")


def as_characters(packed: bytes) -> str:
    """The text that `bytesOf` of packing.js reads as these bytes."""
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8))
    groups = np.pad(bits, (0, -len(bits) % BITS)).reshape(-1, BITS)
    numbers = groups @ (1 << np.arange(BITS)[::-1]) + FIRST
    return numbers.astype("<u2").tobytes().decode("utf-16-le")
