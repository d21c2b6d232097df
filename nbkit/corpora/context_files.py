"""Contexts as files, which any number of processes map into memory.

contexts.safetensors   `tokens` (n, length) and `documents` (n,)
contexts.json          what else `Contexts` holds, and what `load_contexts` was asked for; written last
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nbkit.corpora.added_tokens import AddedTokens
from nbkit.corpora.contexts import Contexts
from nbkit.corpora.summary import CorpusSummary
from nbkit.errors import NbkitError
from nbkit.files import make_folder, map_array, notes_of, read_json, user_path, write_json, write_tensors

TOKENS = "contexts.safetensors"
ABOUT_CONTEXTS = "contexts.json"
CONTEXT_FILES = (TOKENS, ABOUT_CONTEXTS)
CONTEXTS_SCHEMA = 1


def write_contexts(contexts: Contexts, folder: Path, request: Mapping[str, Any] | None = None) -> None:
    """Writes contexts into a folder, in the place of those that are there.

    Args:
        request: what `load_contexts` was asked for, which they are found again by; None if that isn't known.

    Raises:
        NbkitError: the folder can't be written, or the disk is full.
    """
    make_folder(folder)
    (folder / ABOUT_CONTEXTS).unlink(missing_ok=True)
    write_tensors(
        {"tokens": contexts.tokens, "documents": contexts.documents}, folder / TOKENS, {"sha256": contexts.sha256}
    )
    about = {
        "schema": CONTEXTS_SCHEMA,
        "sha256": contexts.sha256,
        "name": contexts.name,
        "special": np.flatnonzero(contexts.special).tolist(),
        "positions": len(contexts.special),
        "added": contexts.added,
        "vocabulary_sha256": contexts.vocabulary_sha256,
        "summary": None if contexts.summary is None else asdict(contexts.summary),
        "request": request,
    }
    write_json(about, folder / ABOUT_CONTEXTS)


def open_contexts(folder: str | Path) -> Contexts:
    """Opens the contexts that lie in a folder, mapped into memory.

    Raises:
        NbkitError: there are none, or a file of them is not as it was written.
    """
    folder = user_path(folder)
    if not (folder / ABOUT_CONTEXTS).is_file():
        raise NbkitError(f"no contexts in {folder}: write them first, with load_contexts(…, out={str(folder)!r})")
    about = read_json(folder / ABOUT_CONTEXTS)
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
        name, vocabulary, sha256 = str(about["name"]), about["vocabulary_sha256"], about["sha256"]
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise NbkitError(
            f"{folder / ABOUT_CONTEXTS} is not as this nbkit writes it: delete it and make it again"
        ) from error
    if notes_of(folder / TOKENS).get("sha256") != sha256:  # as of an atlas, whose contexts have the same name
        raise NbkitError(
            f"{folder / TOKENS} holds other contexts than {ABOUT_CONTEXTS} beside it tells of: delete both"
        )
    tokens, documents = (map_array(folder / TOKENS, each) for each in ("tokens", "documents"))
    return Contexts(tokens, documents, name, special, added, vocabulary, summary)
