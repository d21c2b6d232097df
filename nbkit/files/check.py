"""Checking all that lies in a folder of nbkit's: an atlas, a cache, or any that holds some of its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nbkit.errors import NbkitError
from nbkit.files.formats import read_json
from nbkit.files.seal import check_seal, sha256_of

LISTS = ("atlas.json", "asset.json", "made-from.json")
"""Files that tell of those beside them: under `files` for each name its size, and last its sha256."""

MAY_LACK_A_SEAL = ("asset.json",)
"""Of them those that told checksums before they had seals: without one they may be old."""


@dataclass(frozen=True)
class Checked:
    """What a check found."""

    intact: int
    """Files that are as they were written."""
    damaged: dict[Path, str]
    """Of the others, what is wrong."""


def check(folder: Path) -> Checked:
    """Compares every file in a folder and below it with its checksum, whether it carries it itself or is listed.

    Files of other programs, and of versions of nbkit that wrote no checksums, are passed over.

    Raises:
        NbkitError: there is no such folder, or nothing in it that could be checked.
    """
    if not folder.is_dir():
        raise NbkitError(f"there is no folder {folder}: give that of an atlas, or a cache")
    promised: dict[Path, tuple[int, str]] = {}
    damaged: dict[Path, str] = {}
    intact = 0
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        if path.name in LISTS:
            try:
                promised.update(_promised(path))
            except (NbkitError, ValueError, TypeError, KeyError, AttributeError):
                damaged[path] = "it can't be read, or not as it was written"
    for path in sorted({*files, *promised}):
        if path in damaged:
            continue
        try:
            wrong = _compared(path, *promised[path]) if path in promised else "" if check_seal(path) else None
        except (NbkitError, OSError):
            wrong = "it doesn't give the checksum that was written with it"
        if wrong:
            damaged[path] = wrong
        intact += wrong == ""
    if not intact and not damaged:
        raise NbkitError(f"{folder} holds no file with a checksum of nbkit's: give the folder of an atlas, or a cache")
    return Checked(intact, damaged)


def _promised(path: Path) -> dict[Path, tuple[int, str]]:
    """The files of a list, with what it says of them.

    Raises:
        NbkitError: it is not as it was written, or has lost its seal.
    """
    files = dict(read_json(path)["files"])
    records = {
        path.parent / name: (int(record[0]), str(record[-1]))
        for name, record in files.items()
        if isinstance(record, list) and isinstance(record[-1], str)  # others are of an older nbkit, which told no sums
    }
    if path.name not in MAY_LACK_A_SEAL and (records or not files) and not check_seal(path):
        raise NbkitError(f"{path} has lost its seal")
    return records


def _compared(path: Path, size: int, checksum: str) -> str:
    """What is wrong with a file; nothing if it is as a list says."""
    if not path.is_file():
        return "it is missing"
    if path.stat().st_size != size:
        return f"it is {path.stat().st_size} bytes long instead of {size}"
    return "" if sha256_of(path) == checksum else "it doesn't give the checksum that was written down for it"
