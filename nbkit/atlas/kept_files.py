"""What is made from an atlas on first demand, and kept in its folder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from torch import Tensor

from nbkit.files import cannot_write_to, read_table, read_tensors, write_table, write_tensors

Made = TypeVar("Made")


class KeptFiles:
    """The tables and tensors that are kept in a folder: or, where that is another user's or on a disk that can't be
    written, in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._in_memory: dict[str, Any] = {}

    def table(self, name: str, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """The table in the file `name`; made if it is asked for for the first time.

        Raises:
            NbkitError: the file is damaged, or the disk is full.
        """
        found = self._found(name, read_table)
        return self._keep(name, make(), read_table, write_table) if found is None else found

    def tensors(self, name: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """The tensors in the file `name`; see `table`."""
        found = self.found_tensors(name)
        return self.keep_tensors(name, make()) if found is None else found

    def found_tensors(self, name: str) -> dict[str, Tensor] | None:
        """The tensors in the file `name`; None if they were not kept yet."""
        return self._found(name, read_tensors)

    def keep_tensors(self, name: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Keeps tensors, in the place of those that were kept under this name."""
        return self._keep(name, tensors, read_tensors, write_tensors)

    def _found(self, name: str, read: Callable[[Path], Made]) -> Made | None:
        path = self.folder / name
        if name not in self._in_memory and path.is_file():
            return read(path)
        found: Made | None = self._in_memory.get(name)
        return found

    def _keep(self, name: str, made: Made, read: Callable[[Path], Made], write: Callable[[Made, Path], None]) -> Made:
        with suppress(OSError):
            self.folder.mkdir(exist_ok=True)
        if not self.folder.is_dir() or cannot_write_to(self.folder):
            self._in_memory[name] = made
            return made
        write(made, self.folder / name)
        return read(self.folder / name)
