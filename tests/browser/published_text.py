"""All text that a folder of pages publishes, also what is packed or encoded in its files, and the places it names."""

from __future__ import annotations

import base64
import re
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nbkit.assets import cache_folder
from nbkit.explorers.shared.data_script import BITS, FIRST
from tests.examples.mini_book import REPOSITORY

BASE64 = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}")
SHARD = re.compile(r'nbkitShard\("[\w-]+",\[(\d+),(\d+)\],"([^"]*)"')
PLACES = {
    str(place)
    for place in (REPOSITORY, Path.home(), Path.cwd(), tempfile.gettempdir(), cache_folder())
    if len(Path(place).parts) > 1
}
"""Of this machine, where a build can have read or written."""


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


def places_in(pages: Path, *more: Path) -> set[str]:
    """Each place of this machine that is named, with the file that names it."""
    names = "|".join(re.escape(str(place)) for place in {*PLACES, *map(str, more)})
    pattern = re.compile(rf"(?:file://|(?<![\w.:/-]))({names})(?![\w-])".encode())
    named = {(path, place.decode()) for path, content in published_text(pages) for place in pattern.findall(content)}
    return {f"{path}: {place}" for path, place in named}
