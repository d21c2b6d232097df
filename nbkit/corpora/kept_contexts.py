"""Contexts that are kept in a folder, and opened there when the same are asked for again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from nbkit.corpora.context_files import ABOUT, CONTEXT_FILES, open_contexts, write_contexts
from nbkit.corpora.contexts import Contexts
from nbkit.errors import NbkitError
from nbkit.files import make_folder, not_writable, read_json

LOCK = ".lock"
Request = Mapping[str, Any]
"""What `load_contexts` was asked for, as JSON has it."""


def kept_contexts(folder: Path, request: Request | None, read: Callable[[Path], Contexts]) -> Contexts:
    """The contexts that lie in a folder, mapped into memory; read and written first if there are none.

    Args:
        request: what they must have been asked for; None if that can't be told, so that none are the same.
        read: reads them, and may use the folder meanwhile.

    Raises:
        NbkitError: the folder holds something else, or other contexts; or it can't be written.
    """
    if _are_there(folder, request):  # needs no lock, nor a disk to write one on
        return open_contexts(folder)
    make_folder(folder)
    lock = FileLock(folder / LOCK)
    try:
        names = {path.name for path in folder.iterdir()}
        if names and not names & {LOCK, *CONTEXT_FILES}:  # no lock is left in a folder of something else
            raise NbkitError(f"{folder} is not empty and holds no contexts ({min(names)}): choose another folder")
        lock.acquire()
    except OSError as error:
        raise not_writable(folder, error) from error
    try:
        if not _are_there(folder, request):
            write_contexts(read(folder), folder, request)
    finally:
        lock.release()
    return open_contexts(folder)


def _are_there(folder: Path, request: Request | None) -> bool:
    """Whether a folder holds the contexts of a request; if not, it holds none.

    Raises:
        NbkitError: it holds others.
    """
    if not (folder / ABOUT).is_file():
        return False
    found = read_json(folder / ABOUT)
    known = found.get("request") if isinstance(found, dict) else None
    if request is None or not isinstance(known, dict):
        raise NbkitError(
            f"{folder} holds contexts already, and nothing tells whether they are these: open them with "
            "nbkit.open_contexts, or choose another folder"
        )
    if differences := [name for name in request if known.get(name) != request[name]]:
        raise NbkitError(
            f"{folder} holds contexts of another {', '.join(differences)}: choose another folder, or delete it"
        )
    return True
