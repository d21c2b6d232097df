"""The bytes of a corpus file, decompressed while they are read, and its lines as text."""

import bz2
import gzip
import io
import lzma
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from nbkit.errors import NbkitError

COMPRESSIONS = {".gz": "gzip", ".zst": "Zstandard", ".xz": "XZ", ".bz2": "bzip2"}
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"\xfd7zXZ": "XZ",
    b"BZh": "bzip2",
    b"PK\x03\x04": "ZIP",
    b"PAR1": "Parquet",
}
"""How data begin that are no text."""


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, decompressed if its suffix says so.

    Raises:
        NbkitError: it can't be read, or its contents are not what the suffix says, cut off or damaged.
    """
    try:
        with _open(path) as file:
            yield file
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
        form = COMPRESSIONS.get(path.suffix.lower())
        raise NbkitError(f"{path} can't be read{f' as {form}' if form else ''} ({reason}).") from error


def _open(path: Path) -> Any:
    match path.suffix.lower():
        case ".gz":
            return gzip.open(path)
        case ".xz":
            return lzma.open(path)
        case ".bz2":
            return bz2.open(path)
        case ".zst":
            import pyarrow as pa

            return io.BufferedReader(pa.CompressedInputStream(pa.OSFile(str(path)), "zstd"))
    return path.open("rb")


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (number, line) of a UTF-8 file, line breaks as they are; a leading byte order mark is dropped.

    Raises:
        NbkitError: it can't be read, or holds no text.
    """
    offset = 0
    with opened(path) as file:
        for number, raw in enumerate(file, start=1):
            if number == 1:
                _check_beginning(raw, path)
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise NbkitError(
                    f"{path} is not UTF-8 text: byte {offset + error.start} is not (line {number}). Convert it first."
                ) from error
            offset += len(raw)
            yield number, line


def _check_beginning(raw: bytes, path: Path) -> None:
    for magic, form in _MAGIC.items():
        if raw.startswith(magic):
            raise NbkitError(f"{path} holds {form} data, not the text that its suffix stands for: unpack or rename it.")


def decompressed(path: Path) -> BinaryIO:
    """A file that can be read at any place: itself, or an unpacked copy that is gone when it is closed.

    Raises:
        OSError: it can't be read.
        NbkitError: it can't be unpacked.
    """
    if path.suffix.lower() not in COMPRESSIONS:
        return path.open("rb")
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        with opened(path) as file:
            shutil.copyfileobj(file, copy)
    except BaseException:
        copy.close()
        raise
    copy.seek(0)
    return cast(BinaryIO, copy)
