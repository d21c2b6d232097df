"""What the scan of a block leaves on disk until the blocks are merged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.files import check_seal


class BlockFile(Mapping[str, Tensor]):
    """A block's result on disk; a tensor is read when it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __getitem__(self, name: str) -> Tensor:
        try:
            with safe_open(self.path, framework="pt") as file:
                tensor: Tensor = file.get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise NbkitError(f"{self.path} is damaged ({error}): delete it and run again to scan it again") from error
        return tensor

    def verify(self) -> None:
        """Raises NbkitError if the file is not as it was written."""
        try:
            intact = check_seal(self.path)
        except (NbkitError, OSError):
            intact = False
        if not intact:
            raise NbkitError(f"{self.path} is damaged: delete it and run again to scan it again")

    def __iter__(self) -> Iterator[str]:
        with safe_open(self.path, framework="pt") as file:
            return iter(file.keys())

    def __len__(self) -> int:
        return sum(1 for _ in self)
