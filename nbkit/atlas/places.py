"""Where the processes that build an atlas put its parts: a folder that all of them see, or an address of fsspec's (see
`nbkit.atlas.remote`)."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.files import check_seal, notes_of, write_tensors

OF = "part_of"
"""Note in a file that says which atlas it belongs to."""


class Part(Mapping[str, Tensor], ABC):
    """A file of tensors; a tensor is read when it is asked for."""

    @abstractmethod
    def verify(self, of: str) -> None:
        """Raises NbkitError if the file is not as it was written, or belongs to another atlas.

        Args:
            of: what `Place.write` was told.
        """

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Place(ABC):
    """A folder of files that several processes write and read, by name; a file is there whole or not at all."""

    @abstractmethod
    def names(self, folder: str) -> set[str]:
        """Names of the files in a folder of it."""

    @abstractmethod
    def has(self, name: str) -> bool:
        """Whether there is a file."""

    @abstractmethod
    def write(self, tensors: Mapping[str, Tensor], name: str, of: str | None = None) -> None:
        """Writes a file of tensors.

        Args:
            of: which atlas it belongs to, if the file shall say so.
        """

    @abstractmethod
    def copy(self, name: str, path: Path) -> bool:
        """Copies a file that others may replace meanwhile, all of it as it was at one moment; whether there is one."""

    @abstractmethod
    def part(self, name: str) -> Part:
        """A file of tensors that is there."""

    @abstractmethod
    def local(self, folder: str, *names: str) -> Path:
        """A folder of it with some of its files, on this machine."""

    @abstractmethod
    def share(self, names: Sequence[str], folder: Path) -> None:
        """Puts files of a folder of this machine there, unless it is the same."""

    @abstractmethod
    def fetch(self, names: Sequence[str], folder: Path) -> None:
        """Copies files from there to a folder of this machine, unless it is the same."""


class LocalPlace(Place):
    """A folder on this machine, or one that machines share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    def names(self, folder: str) -> set[str]:
        path = self.folder / folder
        return {each.name for each in path.iterdir()} if path.is_dir() else set()

    def has(self, name: str) -> bool:
        return (self.folder / name).is_file()

    def write(self, tensors: Mapping[str, Tensor], name: str, of: str | None = None) -> None:
        write_tensors(tensors, self.folder / name, {} if of is None else {OF: of})

    def copy(self, name: str, path: Path) -> bool:
        try:
            shutil.copyfile(self.folder / name, path)
        except FileNotFoundError:
            return False
        return True

    def part(self, name: str) -> LocalPart:
        return LocalPart(self.folder / name)

    def local(self, folder: str, *names: str) -> Path:
        return self.folder / folder

    def share(self, names: Sequence[str], folder: Path) -> None:
        pass

    def fetch(self, names: Sequence[str], folder: Path) -> None:
        pass


class LocalPart(Part):
    """A file on this machine."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __getitem__(self, name: str) -> Tensor:
        try:
            with safe_open(self.path, framework="pt") as file:
                tensor: Tensor = file.get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise NbkitError(f"{self.path} is damaged ({error}): delete it and run again to scan it again") from error
        return tensor

    def verify(self, of: str) -> None:
        try:
            intact, belongs = check_seal(self.path), notes_of(self.path).get(OF, of) == of
        except (NbkitError, OSError):
            intact, belongs = False, True
        if not intact or not belongs:
            what = "of another atlas" if intact else "damaged"
            raise NbkitError(f"{self.path} is {what}: delete it and run again to scan it again")

    def __iter__(self) -> Iterator[str]:
        with safe_open(self.path, framework="pt") as file:
            return iter(file.keys())
