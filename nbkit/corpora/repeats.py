"""Rows of tokens that repeat an earlier one."""

from __future__ import annotations

import hashlib
import sqlite3

import numpy as np
from jaxtyping import Int32

from nbkit.errors import NbkitError

CACHE_KILOBYTES = 8192


class Repeats:
    """Tells whether a row came before, by checksums of 128 bits.

    They are kept in SQLite's database without a name: what doesn't fit in its cache of 8 MB, about 200,000 rows, lies
    in the system's folder for temporary files (`TMPDIR`), about 40 bytes a row, and is gone with the process.
    """

    def __init__(self) -> None:
        self._rows = sqlite3.connect("", isolation_level=None)
        for setting in ("journal_mode = OFF", "temp_store = FILE", f"cache_size = -{CACHE_KILOBYTES}"):
            self._rows.execute(f"PRAGMA {setting}")
        self._rows.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID")
        self._rows.execute("BEGIN")

    def add(self, row: Int32[np.ndarray, " room"]) -> bool:
        """Whether an equal row was added before.

        Raises:
            NbkitError: the disk of the temporary files is full.
        """
        digest = hashlib.blake2b(row.tobytes(), digest_size=16).digest()
        try:
            return self._rows.execute("INSERT OR IGNORE INTO seen VALUES (?)", (digest,)).rowcount == 0
        except sqlite3.OperationalError as error:
            raise NbkitError(
                f"can't keep in mind which contexts have come before ({error}): make room where temporary files lie, "
                "or name another folder with TMPDIR"
            ) from error

    def close(self) -> None:
        """Forgets all rows."""
        self._rows.close()
