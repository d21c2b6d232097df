"""Where contexts are put as they are read, when nobody knows how many there will be."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import Int32

from nbkit.errors import NbkitError

IN_MEMORY_BYTES = 1 << 23
"""Of contexts, at most; what is more lies on disk."""


class Spool:
    """Rows of numbers, one after the other: in memory, and from 8 MB on in a temporary file without a name, which is
    gone with the process."""

    def __init__(self, width: int, folder: Path | None = None) -> None:
        self.width = width
        self._folder = folder
        where = None if folder is None else str(folder)
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES, dir=where)  # noqa: SIM115 - closed by `close`

    def add(self, row: Int32[np.ndarray, " width"]) -> None:
        """Puts a row behind the others.

        Raises:
            NbkitError: the disk is full.
        """
        try:
            self._file.write(row.tobytes())
        except OSError as error:
            raise self._no_room(error) from error

    def array(self) -> Int32[np.ndarray, "n width"]:
        """All rows, in order; mapped into memory and not to be written to if they lie on disk.

        Raises:
            NbkitError: the disk is full.
        """
        shape = (self._file.tell() // (4 * self.width), self.width)
        if self._file.tell() <= IN_MEMORY_BYTES:
            self._file.seek(0)
            return np.frombuffer(bytearray(self._file.read()), np.int32).reshape(shape)
        try:
            self._file.flush()
        except OSError as error:
            raise self._no_room(error) from error
        return np.memmap(self._file, np.int32, "r", shape=shape).view(np.ndarray)

    def close(self) -> None:
        """Ends adding; an array that was taken stays."""
        with suppress(OSError):  # of what a full disk didn't take, which was told before
            self._file.close()

    def _no_room(self, error: OSError) -> NbkitError:
        folder = self._folder or tempfile.gettempdir()
        return NbkitError(
            f"can't keep the contexts in {folder} ({error.strerror or error}): make room there, or let load_contexts "
            "write them to another folder (out)"
        )
