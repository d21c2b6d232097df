"""Builds of an atlas that are stopped at one of their writes, as an interrupt would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nbkit.atlas.build
import nbkit.atlas.build_folder
import nbkit.atlas.places
from nbkit.files import sha256_of


def is_stopped(build: Callable[[], object], number: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Runs a build and stops it where it would write its file of this number, counted from 1; tells whether it has
    as many."""
    written = 0
    with monkeypatch.context() as patch:
        for module, name in (
            (nbkit.atlas.places, "write_tensors"),
            (nbkit.atlas.build, "write_tensors"),
            (nbkit.atlas.build, "write_table"),
            (nbkit.atlas.build, "write_manifest"),
            (nbkit.atlas.build_folder, "write_manifest"),
        ):
            right = getattr(module, name)

            def write(*arguments: Any, right: Any = right) -> None:
                nonlocal written
                written += 1
                if written == number:
                    raise KeyboardInterrupt
                right(*arguments)

            patch.setattr(module, name, write)
        try:
            build()
        except KeyboardInterrupt:
            return True
    return False


def sums(folder: Path) -> dict[str, str]:
    """sha256 of an atlas's files, without its lock."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix != ".lock")
    return {path.name: sha256_of(path) for path in files}
