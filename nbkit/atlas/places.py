"""Where the processes that build an atlas put its parts: a folder that all of them see, or an address of fsspec's (see
`nbkit.atlas.remote`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.files import check_seal, write_tensors


class Part(Mapping[str, Tensor], ABC):
    """A file of tensors; a tensor is read when it is asked for."""

    @abstractmethod
    def verify(self) -> None:
        """Raises NbkitError if the file is not as it was written."""

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
    def write(self, tensors: Mapping[str, Tensor], name: str) -> None:
        """Writes a file of tensors."""

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

    def write(self, tensors: Mapping[str, Tensor], name: str) -> None:
        write_tensors(tensors, self.folder / name)

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

    def verify(self) -> None:
        try:
            intact = check_seal(self.path)
        except (NbkitError, OSError):
            intact = False
        if not intact:
            raise NbkitError(f"{self.path} is damaged: delete it and run again to scan it again")

    def __iter__(self) -> Iterator[str]:
        with safe_open(self.path, framework="pt") as file:
            return iter(file.keys())
