"""A file's own checksum, in the file: a bit that flips on a disk is found by whoever reads it.

The *seal* is the text `nbkit-sha256-` with 64 digits behind it, at a place where the file's format keeps notes. The
digits are the sha256 of all the file's bytes, these digits taken as zeros. So a file vouches for itself wherever it is
copied, and there is no second file to lose or to write at another moment.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path

from nbkit.errors import NbkitError

SEAL_MARK = "nbkit-sha256-"
SEAL_DIGITS = 64
UNSEALED = SEAL_MARK + "0" * SEAL_DIGITS
"""What a file holds in the place of its seal until it is sealed."""
SEARCHED = 1 << 20
"""Bytes at the end of a file, or at its beginning, in which the seal lies."""
PIECE = 1 << 20
"""Bytes that are read and summed up at a time, while other threads go on."""
SETTLED = 2.0
"""Seconds after a change within which a next one may bear the same time."""

_SEAL = re.compile((SEAL_MARK + f"([0-9a-f]{{{SEAL_DIGITS}}})").encode())
_known: dict[tuple[object, ...], str] = {}


def seal(path: Path) -> None:
    """Puts the checksum of a file that was written with `UNSEALED` into it."""
    at = _place(path)
    assert at is not None
    digest = _sha256(path, at)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(digest.encode())


def check_seal(path: Path) -> bool:
    """Compares a file with its seal.

    Returns:
        Whether it has one; files of other programs and of older versions of nbkit have none.

    Raises:
        NbkitError: it was changed after it was written.
    """
    at = _place(path)
    if at is None:
        return False
    with path.open("rb") as file:
        file.seek(at)
        promised = file.read(SEAL_DIGITS)
    if sha256_of(path, at).encode() != promised:
        raise NbkitError(
            f"{path} can't be read (damaged: it doesn't give the checksum that was written with it): delete it and "
            "make it again"
        )
    return True


def sha256_of(path: Path, at: int | None = None) -> str:
    """The sha256 of a file, computed once for a state of the file.

    Args:
        at: where its own digits stand, which count as zeros.
    """
    state = path.stat()
    key = (at, state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
    if key in _known:
        return _known[key]
    digest = _sha256(path, at)
    if time.time() - state.st_ctime > SETTLED:
        _known[key] = digest
    return digest


def _place(path: Path) -> int | None:
    """Where the digits of a file's seal begin."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        for start in dict.fromkeys((max(0, size - SEARCHED), 0)):
            file.seek(start)
            found = list(_SEAL.finditer(file.read(min(size, SEARCHED))))
            if found:
                return start + found[-1].start(1)
    return None


def _sha256(path: Path, at: int | None) -> str:
    with path.open("rb") as file:
        if at is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha256(file.read(at) + b"0" * SEAL_DIGITS)
        file.seek(at + SEAL_DIGITS)
        while piece := file.read(PIECE):
            digest.update(piece)
        return digest.hexdigest()
