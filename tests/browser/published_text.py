"""All text that a folder of pages publishes, also what is packed or encoded in its files."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nbkit.explorers.atlas.shard_files import BITS, FIRST

BASE64 = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}")
SHARD = re.compile(r'nbkitShard\("[\w-]+",\[(\d+),(\d+)\],"([^"]*)"')


def published_text(pages: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield (file, bytes) for each file below `pages`, and for all that can be decoded or inflated in it."""
    for path in sorted(path for path in pages.rglob("*") if path.is_file()):
        for content in _layers(path.read_bytes()):
            yield path.relative_to(pages), content


def _layers(raw: bytes) -> Iterator[bytes]:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = raw.decode("utf-16")
        yield text.encode()
        for head, body, characters in SHARD.findall(text):
            packed = _bytes_of(characters)
            yield zlib.decompress(packed[: int(head)])
            yield zlib.decompress(packed[int(head) : int(head) + int(body)])
        return
    yield raw
    for start in (found.start() for found in re.finditer(rb"\x78[\x01\x5e\x9c\xda]", raw)):  # as in PNG and objects.inv
        yield _inflated(memoryview(raw)[start:])
    for found in BASE64.findall(raw):
        decoded = base64.b64decode(found[: len(found) // 4 * 4])
        yield decoded
        yield _inflated(decoded)


def _bytes_of(characters: str) -> bytes:
    """What `as_characters` made characters of."""
    numbers = np.frombuffer(characters.encode("utf-16-le"), "<u2").astype(np.uint16) - FIRST
    bits = np.unpackbits(numbers.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)[:, 16 - BITS :].ravel()
    return np.packbits(bits).tobytes()


def _inflated(packed: bytes | memoryview) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed)
    except zlib.error:
        return b""
