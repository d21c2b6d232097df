"""Which files a path or a pattern means, in the order in which they are read."""

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from nbkit.corpora.columns import read_parquet
from nbkit.corpora.document_text import Found, only
from nbkit.corpora.opened_file import COMPRESSIONS
from nbkit.corpora.records import read_csv, read_json, read_json_lines, read_tsv
from nbkit.corpora.text_files import read_text
from nbkit.errors import NbkitError
from nbkit.files import user_path

READERS: dict[str, Callable[[Path, str], Iterator[Found]]] = {
    ".txt": read_text,
    ".md": read_text,
    ".py": read_text,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".json": read_json,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
}
"""How a file with each suffix is read."""
KNOWN_SUFFIXES = f"{', '.join(READERS)}, each also {', '.join(COMPRESSIONS)}"


class CorpusFiles(NamedTuple):
    """The files of a corpus."""

    name: str
    """What the corpus is called: the name of the file or folder, or the pattern with the folder it is about."""
    paths: tuple[Path, ...]
    """Those that are read, in order."""
    left_out: tuple[str, ...]
    """Names of those that can't be, by their suffix."""


def find_files(corpus: str | os.PathLike[str]) -> CorpusFiles | None:
    """Return the files that a path or a pattern means; None if it means none.

    A folder means all files below it, a pattern what it matches and all files below the folders among that: sorted by
    path, hidden ones left out.

    Raises:
        NbkitError: there are files, and none that can be read; or a name that can be of a file only, and is of none.
    """
    path = user_path(os.fspath(corpus))
    is_pattern = glob.has_magic(str(path))
    try:
        is_file, is_folder = path.is_file(), path.is_dir()
        # pathlib's matches hidden files too
        matched = glob.glob(str(path), recursive=True) if is_pattern and not (is_file or is_folder) else []  # noqa: PTH207
    except (OSError, ValueError) as error:  # too long for a name, or with a character that none has
        raise NbkitError(f"{_short(path)!r} can't be the name of a file ({error.args[-1]}).") from error
    if is_file:
        return _sorted_out(path.name, path, [path])
    if is_folder:
        return _sorted_out(path.resolve().name, path, _below(path))
    if matched:
        files = {file for match in map(Path, matched) for file in (_below(match) if match.is_dir() else [match])}
        first = next(i for i, part in enumerate(path.parts) if glob.has_magic(part))
        return _sorted_out("/".join(path.parts[max(first - 1, 0) :]).lstrip("/"), path, files)
    if is_pattern or reader_of(path):
        raise NbkitError(f"There is no file {_short(path)}.")
    return None


def reader_of(path: Path) -> Callable[[Path, str], Iterator[Found]] | None:
    """How a file is read, by its suffix, or the one before that of a compression; None if that is not known."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return READERS.get(suffixes[-1]) if suffixes else None


def _below(folder: Path) -> list[Path]:
    """All files below a folder that are not hidden; links that lead to none, too, so that they are told."""
    return [
        path
        for path in folder.rglob("*")
        if (path.is_file() or path.is_symlink()) and not any(map(_is_hidden, path.relative_to(folder).parts))
    ]


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def _sorted_out(name: str, path: Path, files: Iterable[Path]) -> CorpusFiles:
    ordered = sorted(files, key=Path.as_posix)
    readable = tuple(file for file in ordered if reader_of(file))
    if not readable:
        what = f"has no file that can be read, {only(file.name for file in ordered)}" if ordered else "is empty"
        if ordered == [path]:
            what = f"has the suffix {path.suffix!r}" if path.suffix else "has no suffix"
        raise NbkitError(f"{_short(path)} {what}: a corpus is made of files {KNOWN_SUFFIXES}.")
    return CorpusFiles(name, readable, tuple(file.name for file in ordered if not reader_of(file)))


def _short(path: Path) -> str:
    text = str(path)
    return text if len(text) <= 80 else f"{text[:40]}…{text[-38:]}"
