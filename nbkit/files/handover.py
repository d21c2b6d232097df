"""Folders that are made to be given away: each replaces an earlier one of its kind, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nbkit.errors import NbkitError
from nbkit.files.whole import make_folder, not_writable, replacing_folder, user_path


@contextmanager
def handing_over(out: str | Path, marker: str) -> Iterator[Path]:
    """An empty folder that takes the place of `out` when the block ends well, and is gone otherwise.

    Args:
        out: a folder that there is not, that is empty, or that holds a file `marker`: one made here before.
        marker: the name of a file that the block writes.

    Raises:
        NbkitError: `out` holds something else, can't be written, or the disk is full.
    """
    folder = user_path(out).resolve()
    if folder.exists() and not _is_ours(folder, marker):
        raise NbkitError(
            f"{out} is there already and was not made by this command (it holds no {marker}): name a new folder"
        )
    make_folder(folder.parent)
    try:
        with replacing_folder(folder) as temporary:
            yield temporary
    except OSError as error:
        raise not_writable(folder, error) from error


def _is_ours(folder: Path, marker: str) -> bool:
    try:
        return (folder / marker).is_file() or not any(folder.iterdir())
    except OSError:  # a file, or a folder that can't be read
        return False
