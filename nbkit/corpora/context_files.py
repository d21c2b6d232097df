"""Contexts as files, which any number of processes map into memory.

contexts.safetensors   `tokens` (n, length) and `documents` (n,)
contexts.json          what else `Contexts` holds, and what `load_contexts` was asked for; written last
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from nbkit.corpora.added_tokens import AddedTokens
from nbkit.corpora.contexts import Contexts
from nbkit.corpora.summary import CorpusSummary
from nbkit.errors import NbkitError
from nbkit.files import make_folder, map_array, not_writable, read_json, user_path, write_json, write_tensors

TOKENS = "contexts.safetensors"
ABOUT = "contexts.json"
CONTEXT_FILES = (TOKENS, ABOUT)
LOCK = ".lock"
CONTEXTS_SCHEMA = 1
Request = Mapping[str, Any]
"""What `load_contexts` was asked for, as JSON has it."""


def write_contexts(contexts: Contexts, folder: Path, request: Request | None = None) -> None:
    """Writes contexts into a folder, in the place of those that are there.

    Args:
        request: what they are found again by.

    Raises:
        NbkitError: the folder can't be written, or the disk is full.
    """
    make_folder(folder)
    (folder / ABOUT).unlink(missing_ok=True)
    write_tensors({"tokens": contexts.tokens, "documents": contexts.documents}, folder / TOKENS)
    about = {
        "schema": CONTEXTS_SCHEMA,
        "name": contexts.name,
        "special": np.flatnonzero(contexts.special).tolist(),
        "positions": len(contexts.special),
        "added": contexts.added,
        "vocabulary_sha256": contexts.vocabulary_sha256,
        "summary": None if contexts.summary is None else asdict(contexts.summary),
        "request": request,
    }
    write_json(about, folder / ABOUT)


def open_contexts(folder: str | Path) -> Contexts:
    """Opens the contexts that lie in a folder, mapped into memory.

    Raises:
        NbkitError: there are none, or a file of them is not as it was written.
    """
    folder = user_path(folder)
    if not (folder / ABOUT).is_file():
        raise NbkitError(f"no contexts in {folder}: write them first, with load_contexts(…, out={str(folder)!r})")
    about = read_json(folder / ABOUT)
    try:
        if about["schema"] != CONTEXTS_SCHEMA:
            raise ValueError(f"schema {about['schema']}")
        special = np.zeros(about["positions"], dtype=np.bool_)
        special[about["special"]] = True
        added = None if about["added"] is None else AddedTokens(*map(tuple, about["added"]))
        summary = None
        if about["summary"] is not None:
            left_out = tuple(about["summary"]["left_out"])
            summary = CorpusSummary(**about["summary"] | {"left_out": left_out})
        name, vocabulary = str(about["name"]), about["vocabulary_sha256"]
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise NbkitError(f"{folder / ABOUT} is not as this nbkit writes it: delete it and make it again") from error
    tokens, documents = (map_array(folder / TOKENS, each) for each in ("tokens", "documents"))
    return Contexts(tokens, documents, name, special, added, vocabulary, summary)


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
    if request is None or known is None:
        raise NbkitError(
            f"{folder} holds contexts already, and nothing tells whether they are these: open them with "
            "nbkit.open_contexts, or choose another folder"
        )
    if differences := [name for name in request if known.get(name) != request[name]]:
        raise NbkitError(
            f"{folder} holds contexts of another {', '.join(differences)}: choose another folder, or delete it"
        )
    return True
