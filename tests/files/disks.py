"""Disks that give and don't take."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

WRITING = os.O_CREAT | os.O_WRONLY | os.O_RDWR


def refusing(code: int, folder: Path) -> Callable[..., int]:
    """An `os.open` by which nothing in a folder and below it can be written, for the reason of this number."""
    opened = os.open

    def refuse(path: str | Path, flags: int, *rest: int, **more: int) -> int:
        if flags & WRITING and Path(path).is_relative_to(folder):
            raise OSError(code, os.strerror(code), str(path))
        return opened(path, flags, *rest, **more)

    return refuse
