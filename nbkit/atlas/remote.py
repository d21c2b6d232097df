"""A place for an atlas's parts at an address of fsspec's, such as s3://bucket/folder."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import uuid
import weakref
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nbkit.atlas.places import OF, Part, Place
from nbkit.errors import NbkitError
from nbkit.files import held_folder, replacing, write_tensors

NOTES = "__metadata__"
HEADER = 1 << 20
"""Bytes at the beginning of a file of tensors that are read at first; few headers are longer."""
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


WRITE_IN_PLACE = {"file", "local", "sftp", "ssh"}
"""Stores that show a file while it is being written, and whose moves replace what is there. An object of the others is
there whole or not at all."""


class RemotePlace(Place):
    """A folder at an address of fsspec's, such as s3://bucket/folder."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._here, held = held_folder(Path(tempfile.gettempdir()), "nbkit-remote")
        weakref.finalize(self, _let_go, self._here, held)

    def __str__(self) -> str:
        return self.url

    def __reduce__(self) -> tuple[type[RemotePlace], tuple[str]]:
        """To travel to another machine, without what was fetched to this one."""
        return RemotePlace, (self.url,)

    @cached_property
    def _store(self) -> tuple[Any, str]:
        """The file system, and the folder's path on it.

        Raises:
            NbkitError: there is none of this kind here.
        """
        import fsspec

        try:
            files, path = fsspec.core.url_to_fs(self.url, use_listings_cache=False)  # others write there, too
            return files, path
        except (ImportError, ValueError) as error:
            raise NbkitError(f"can't reach {self.url} ({str(error).splitlines()[0]})") from error

    @property
    def _files(self) -> Any:
        return self._store[0]

    def _path(self, name: str) -> str:
        return f"{self._store[1]}/{name}"

    def names(self, folder: str) -> set[str]:
        try:
            return {each.rstrip("/").rpartition("/")[2] for each in self._files.ls(self._path(folder), detail=False)}
        except FileNotFoundError:
            return set()
        except Exception as error:  # those of a store's client are of every kind
            raise self._unreachable(error) from error

    def has(self, name: str) -> bool:
        try:
            return bool(self._files.exists(self._path(name)))
        except Exception as error:  # those of a store's client are of every kind
            raise self._unreachable(error) from error

    def write(self, tensors: Mapping[str, Tensor], name: str, of: str | None = None) -> None:
        with tempfile.TemporaryDirectory(dir=self._here) as folder:
            path = Path(folder) / "part"
            write_tensors(tensors, path, {} if of is None else {OF: of})
            self._put(path, name)

    def share(self, names: Sequence[str], folder: Path) -> None:
        for name in names:
            self._put(folder / name, name)

    def fetch(self, names: Sequence[str], folder: Path) -> None:
        for name in names:
            with replacing(folder / name) as temporary:
                self._get(name, temporary)

    def _put(self, path: Path, name: str) -> None:
        target, files = self._path(name), self._files
        kinds = {files.protocol} if isinstance(files.protocol, str) else {*files.protocol}
        try:
            if kinds & WRITE_IN_PLACE:
                folder, _, last = target.rpartition("/")
                temporary = f"{folder}/.{last}.{uuid.uuid4().hex}.tmp"
                files.makedirs(folder, exist_ok=True)
                files.put_file(str(path), temporary)
                files.mv(temporary, target)
            else:
                files.put_file(str(path), target)
        except Exception as error:  # those of a store's client are of every kind
            raise self._unreachable(error) from error

    def _get(self, name: str, path: Path) -> None:
        try:
            self._files.get_file(self._path(name), str(path))
        except Exception as error:  # those of a store's client are of every kind
            raise self._unreachable(error) from error

    def copy(self, name: str, path: Path) -> bool:
        if not self.has(name):
            return False
        self._get(name, path)
        return True

    def part(self, name: str) -> RemotePart:
        return RemotePart(self, name)

    def local(self, folder: str, *names: str) -> Path:
        """A folder of it with some of its files, each fetched on the first call."""
        kept = self._here / folder
        kept.mkdir(parents=True, exist_ok=True)
        for name in names:
            if not (kept / name).is_file():
                self._get(f"{folder}/{name}", kept / name)
        return kept

    def bytes_of(self, name: str, start: int, stop: int) -> bytes:
        """A piece of a file."""
        try:
            piece: bytes = self._files.cat_file(self._path(name), start=start, end=stop)
        except Exception as error:  # those of a store's client are of every kind
            raise self._unreachable(error) from error
        return piece

    def size(self, name: str) -> int:
        """Bytes of a file."""
        try:
            return int(self._files.size(self._path(name)))
        except Exception as error:  # those of a store's client are of every kind
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> NbkitError:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return NbkitError(f"can't read or write {self.url} ({reason})")


def _let_go(folder: Path, held: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if held >= 0:
        os.close(held)


class RemotePart(Part):
    """A file at an address: of a tensor only its bytes are fetched."""

    def __init__(self, place: RemotePlace, name: str) -> None:
        self.place, self.name = place, name

    @cached_property
    def _header(self) -> tuple[int, dict[str, Any]]:
        """Where the tensors' bytes begin, and of each tensor its dtype, shape and place behind there."""
        first = self.place.bytes_of(self.name, 0, HEADER)
        length = int.from_bytes(first[:8], "little")
        text = first[8 : 8 + length]
        if len(text) < length:
            text += self.place.bytes_of(self.name, 8 + len(text), 8 + length)
        try:
            header = json.loads(text)
        except ValueError as error:
            raise self._damaged() from error
        return 8 + length, header

    def __getitem__(self, name: str) -> Tensor:
        start, header = self._header
        about = header[name]
        first, stop = about["data_offsets"]
        data = self.place.bytes_of(self.name, start + first, start + stop) if stop > first else b""
        if len(data) != stop - first:
            raise self._damaged()
        flat = torch.frombuffer(bytearray(data), dtype=_DTYPES[about["dtype"]]) if data else torch.empty(0)
        return flat.to(_DTYPES[about["dtype"]]).view(about["shape"])

    def verify(self, of: str) -> None:
        """Raises NbkitError if the file is not as long as its header says, or belongs to another atlas."""
        start, header = self._header
        if self.place.size(self.name) != start + max((header[each]["data_offsets"][1] for each in self), default=0):
            raise self._damaged()
        if header.get(NOTES, {}).get(OF) != of:
            raise NbkitError(f"{self.place}/{self.name} is of another atlas: delete it and run again to make it again")

    def _damaged(self) -> NbkitError:
        return NbkitError(f"{self.place}/{self.name} is damaged: delete it and run again to make it again")

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._header[1] if name != NOTES)
