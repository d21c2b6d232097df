"""Contexts that are kept in a folder, and opened there when the same are asked for again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from nbkit.corpora.context_files import ABOUT_CONTEXTS, CONTEXT_FILES, open_contexts
from nbkit.corpora.contexts import Contexts
from nbkit.errors import NbkitError
from nbkit.files import is_leftover, make_folder, not_writable, read_json

CONTEXTS_LOCK = ".lock"


def kept_contexts(folder: Path, request: Mapping[str, Any] | None) -> Contexts | None:
    """The contexts that lie in a folder, mapped into memory; None if there are none.

    Args:
        request: what `load_contexts` is asked for, as JSON has it; None if that can't be told, so that none are the
            same.

    Raises:
        NbkitError: it holds others.
    """
    if not (folder / ABOUT_CONTEXTS).is_file():
        return None
    found = read_json(folder / ABOUT_CONTEXTS)
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
    return open_contexts(folder)


@contextmanager
def keeping(folder: Path) -> Iterator[None]:
    """Makes a folder for contexts and holds it while they are written; one that stays empty is gone again.

    Raises:
        NbkitError: it holds something else, or can't be written.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    make_folder(folder)
    lock = FileLock(folder / CONTEXTS_LOCK)
    try:
        others = {path.name for path in folder.iterdir() if not is_leftover(path)} - {CONTEXTS_LOCK, *CONTEXT_FILES}
        if others:  # no lock is left in a folder of something else, such as an atlas
            raise NbkitError(f"{folder} is not empty and holds no contexts ({min(others)}): choose another folder")
        lock.acquire()
    except OSError as error:
        raise not_writable(folder, error) from error
    try:
        make_folder(folder)  # whoever held it until now may have left nothing
        yield
    except BaseException:
        with suppress(OSError):
            if [path.name for path in folder.iterdir()] == [CONTEXTS_LOCK]:
                (folder / CONTEXTS_LOCK).unlink()
                for each in made:
                    each.rmdir()
        raise
    finally:
        lock.release()
