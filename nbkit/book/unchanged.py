"""Executed notebooks of the last build of which nothing has changed that they were made of: they are taken over."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
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

NAME = "nbkit_made_of"
"""In the metadata of an executed notebook."""
PACKAGE = Path(__file__).parents[1]


def made_of(notebook: Path, parameters: Mapping[str, Any]) -> str:
    """sha256 of what the outputs of a notebook depend on: its source, its parameters, the manifest of an atlas whose
    folder is one of them, the files of nbkit, all packages' versions, and whether there is a GPU."""
    digest = sha256(notebook.read_bytes())
    digest.update(json.dumps([parameters, _environment(), torch.cuda.is_available()], default=str).encode())
    if isinstance(folder := parameters.get("atlas"), str) and (manifest := Path(folder) / MANIFEST).is_file():
        digest.update(manifest.read_bytes())
    return digest.hexdigest()


def unchanged(notebooks: Mapping[Path, Mapping[str, Any]], executed: Path, atlas: str | None) -> dict[Path, str]:
    """The texts of executed notebooks that are made of the same as now.

    Args:
        notebooks: the parameters of each.
        executed: the folder of the last build.
        atlas: the name of the book's own.

    Returns:
        Without those whose explorers show another atlas that the cache folder no longer has.
    """
    found = {}
    for path, parameters in notebooks.items():
        last = executed / path.name
        if not last.is_file() or _made_of(last) != made_of(path, parameters):
            continue
        if all(name == atlas or _is_there(name) for name in explored_in(last)):
            found[path] = last.read_text(encoding="utf-8")
    return found


def _made_of(executed: Path) -> str | None:
    try:
        found: str | None = nbformat.read(executed, as_version=4).metadata.get(NAME)
    except Exception:  # whatever is wrong with the file, it is made again
        return None
    return found


def _is_there(atlas: str) -> bool:
    return (cache_folder() / "atlases" / atlas / MANIFEST).is_file()


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
