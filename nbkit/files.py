"""The files that nbkit leaves on disk: safetensors, Parquet and JSON, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nbkit.errors import NbkitError

FILE_SCHEMA = 1
"""Version of what all these files have in common; in every file. An atlas counts the changes of its own layout."""


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, mapped into memory and read when they are touched.

    Raises:
        NbkitError: if the file is not whole.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise NbkitError(f"{path} can't be read ({error}): delete its folder and make it again") from error


def read_table(path: Path) -> pd.DataFrame:
    """A Parquet file.

    Raises:
        NbkitError: if the file is not whole.
    """
    try:
        return pd.read_parquet(path)
    except (ValueError, OSError) as error:  # PyArrow's errors are both
        reason = str(error).splitlines()[0]
        raise NbkitError(f"{path} can't be read ({reason}): delete its folder and make it again") from error


def read_or_make(path: Path, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """The table at `path`; made and kept there if it is asked for for the first time.

    Raises:
        NbkitError: if the file is not whole, or can't be written.
    """
    if not path.is_file():
        write_table(make(), path)
    return read_table(path)


def write_tensors(tensors: dict[str, Tensor], path: Path, about: dict[str, str] | None = None) -> None:
    """Writes a safetensors file with the schema version and `about` in its header, whole or not at all."""
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"nbkit_schema": str(FILE_SCHEMA), **(about or {})})


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Writes a Parquet file with the schema version, whole or not at all."""
    table.attrs = {"nbkit_schema": FILE_SCHEMA}
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)


def write_json(values: object, path: Path) -> None:
    """Writes a JSON file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n")


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, if they are not there.

    Raises:
        NbkitError: it can't be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_writable(folder, error) from error


def not_writable(folder: Path, error: OSError) -> NbkitError:
    """What a user is told whose folder can't be made or written."""
    return NbkitError(f"can't write to {folder} ({error.strerror or error}): choose another folder")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that takes its place when the block ends well and is gone otherwise.

    Raises:
        NbkitError: if the disk is full or the folder can't be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.chmod(path.parent.stat().st_mode & 0o666)  # safetensors' files are for their owner's eyes only
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError | SafetensorError):
            free = shutil.disk_usage(path.parent).free / 1e9 if path.parent.is_dir() else 0
            raise NbkitError(
                f"can't write {path} ({error}); {free:.1f} GB are free there: make room or choose another folder, and "
                "run again: what is finished is kept"
            ) from error
        raise


def is_leftover(path: Path) -> bool:
    """Whether this is what a process that was killed left half-written under the temporary name of `replacing`."""
    return path.name.startswith(".") and path.suffix == ".tmp"
