"""Executed notebooks of the last build of which nothing has changed that they were made of: they are taken over."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import nbformat
import torch

from nbkit.assets import cache_folder
from nbkit.atlas.manifest import MANIFEST
from nbkit.book.neuron_links import explored_in
from nbkit.book.wheel import PACKAGE
from nbkit.explorers.atlas.shard_files import folder_of_site

Parameters = Mapping[str, Any]
NAME = "nbkit_made_of"
"""In the metadata of an executed notebook."""


def made_of(notebook: Path, parameters: Parameters, atlas: Path | None) -> str:
    """sha256 of what the outputs of a notebook depend on.

    That is its source, its parameters, the files that these name, the manifest of the book's atlas (with its model,
    text and autoencoders), the files of nbkit, the versions of all packages, and whether there is a GPU.

    Args:
        notebook: as it is before it is executed.
        parameters: all that it has, given or by default; a relative path lies in the notebook's folder.
        atlas: the folder of the book's own, if it has one.
    """
    digest = sha256(notebook.read_bytes())
    named = [_state(f"{notebook.parent / os.path.expanduser(text)}") for text in _texts(parameters)]  # noqa: PTH111
    digest.update(json.dumps([parameters, named, _environment(), torch.cuda.is_available()], default=str).encode())
    if atlas is not None:
        digest.update((atlas / MANIFEST).read_bytes())
    return digest.hexdigest()


def _texts(value: Any) -> Iterator[str]:
    """All strings in a parameter's value that may name a file; an empty one doesn't."""
    match value:
        case str() if value:
            yield value
        case Mapping():
            for each in value.values():
                yield from _texts(each)
        case list() | tuple():
            for each in value:
                yield from _texts(each)


def _state(path: str) -> list[tuple[str, int, int]]:
    """Name, size and time of change of a file, or of all files in a folder, of an atlas its manifest, since tables are
    kept beside it; nothing if there is none."""
    if not os.path.exists(path):  # noqa: PTH110 - a text may be too long for a name, where a Path raises
        return []
    manifest = Path(path, MANIFEST)
    files = [manifest] if manifest.is_file() else [Path(path), *sorted(Path(path).rglob("*"))]
    return [(str(each), each.stat().st_size, each.stat().st_mtime_ns) for each in files if each.is_file()]


def unchanged(notebooks: Mapping[Path, Parameters], executed: Path, atlas: Path | None) -> dict[Path, str]:
    """The texts of executed notebooks that are made of the same as now.

    Args:
        notebooks: all parameters of each.
        executed: the folder of the last build.
        atlas: the folder of the book's own, if it has one.

    Returns:
        Without those whose explorers show another atlas that the cache folder no longer has.
    """
    own = set() if atlas is None else {atlas.resolve().name}
    found = {}
    for path, parameters in notebooks.items():
        last = executed / path.name
        if not last.is_file() or _made_of(last) != made_of(path, parameters, atlas):
            continue
        shown = {folder_of_site(cache_folder() / "atlases", name) for name in explored_in(last)}
        if all((folder / MANIFEST).is_file() for folder in shown if folder.name not in own):
            found[path] = last.read_text(encoding="utf-8")
    return found


def _made_of(executed: Path) -> str | None:
    try:
        found: str | None = nbformat.read(executed, as_version=4).metadata.get(NAME)
    except Exception:  # whatever is wrong with the file, it is made again
        return None
    return found


@lru_cache(maxsize=1)
def _environment() -> str:
    """sha256 of nbkit's files, and of the versions of Python and of all that is installed."""
    digest = sha256(sys.version.encode())
    for name in sorted(f"{each.name} {each.version}" for each in distributions()):
        digest.update(name.encode())
    for path in sorted(PACKAGE.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(PACKAGE)}\n".encode() + path.read_bytes())
    return digest.hexdigest()
