"""Files that are there whole or not at all, and what a killed process leaves of the others."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nbkit.errors import NbkitError

try:
    import fcntl
except ImportError:  # Windows, where nobody can remove a file that another process has open
    fcntl = None  # type: ignore[assignment]

LEFTOVER = re.compile(r"\..+\.tmp|\.tmp[0-9A-Za-z]{6}")
"""Names of half-written files: those of `replacing`, and those that safetensors gave them in earlier versions."""
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, if they are not there.

    Raises:
        NbkitError: it can't be made, or has a name that safetensors and Parquet can't spell.
    """
    try:
        str(folder).encode()  # the libraries refuse names that are no text, after hours
        folder.mkdir(parents=True, exist_ok=True)
    except UnicodeEncodeError as error:
        raise NbkitError(f"can't write to {folder} (its name is not UTF-8): choose another folder") from error
    except (OSError, ValueError) as error:
        raise not_writable(folder, error) from error


def link_or_copy(source: Path, target: Path) -> None:
    """A second name of a file where the file system has hard links, else a copy. Files here are replaced, not written
    over, so that neither name sees what becomes of the other."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def not_writable(folder: Path, error: Exception) -> NbkitError:
    """What a user is told whose folder can't be made or written."""
    return NbkitError(f"can't write to {folder} ({getattr(error, 'strerror', None) or error}): choose another folder")


def user_path(name: str | Path) -> Path:
    """A path as a user writes it: `~` is their own folder; `~name` is a file's name unless there is such a user.

    Raises:
        NbkitError: it is no path, or longer than the file system's names.
    """
    if not isinstance(name, str | os.PathLike) or not isinstance(os.fspath(name), str):
        raise NbkitError(f"a path is of type {type(name).__name__}: give the name of a file or folder, as text or Path")
    path = Path(name)
    with suppress(RuntimeError):
        path = path.expanduser()
    try:
        path.lstat()
    except (OSError, ValueError) as error:
        if not isinstance(error, OSError) or error.errno == errno.ENAMETOOLONG:
            reason = getattr(error, "strerror", None) or error
            raise NbkitError(f"{str(name)[:60]!r} can't be the name of a file or folder ({reason})") from error
    return path


def cannot_write_to(folder: Path) -> bool:
    """Whether a folder is another user's or on a disk that only gives: nothing new can be kept in it."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return False
    except OSError as error:
        return error.errno in READ_ONLY


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path` that takes its place when the block ends well and is gone otherwise.

    What killed processes left of earlier tries is removed.

    Raises:
        NbkitError: if the disk is full or the folder can't be written.
    """
    sweep(path.parent, path.name)
    try:
        temporary, number = _held_file(path)
    except OSError as error:
        raise _no_room(path, error) from error
    try:
        yield temporary
        temporary.chmod(path.parent.stat().st_mode & 0o666)  # not for their owner's eyes only
        os.fsync(number)
        if fcntl is None:  # Windows renames no open file; elsewhere it is held to its end, or another process could
            os.close(number)  # take it for a leftover
            number = -1
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _no_room(path, error) from error
        raise
    finally:
        if number >= 0:
            os.close(number)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder` that takes its place when the block ends well and is gone otherwise.

    Raises:
        OSError: if the disk is full or the folder above can't be written.
    """
    temporary, number = held_folder(folder.parent, folder.name)
    try:
        temporary.chmod(folder.parent.stat().st_mode & 0o777)
        yield temporary
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if number >= 0:
            os.close(number)


def held_folder(parent: Path, name: str) -> tuple[Path, int]:
    """A new folder that holds what is needed for a while, and its number among the open ones: when that is closed or
    the process ends, the next one of this name removes what is left of it.

    Raises:
        OSError: if the disk is full or `parent` can't be written.
    """
    sweep(parent, name)
    folder, number = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".tmp", dir=parent)), -1
    with suppress(OSError):  # where folders have no locks, they are not swept
        number = os.open(folder, os.O_RDONLY)
        _lock(number)
    return folder, number


def sweep(folder: Path, name: str = "") -> None:
    """Removes what killed processes left half-written in a folder; what a living one is writing stays.

    Args:
        name: of the file whose halves are removed; without it, all: for folders that hold nothing but nbkit's files.
    """
    with suppress(OSError):
        for path in list(folder.iterdir()):
            if is_leftover(path) and path.name.startswith(f".{name}." if name else "."):
                _remove_if_dead(path)


def is_leftover(path: Path) -> bool:
    """Whether a name is that of a half-written file or folder."""
    return LEFTOVER.fullmatch(path.name) is not None


def _no_room(path: Path, error: OSError) -> NbkitError:
    free = shutil.disk_usage(path.parent).free / 1e9 if path.parent.is_dir() else 0
    return NbkitError(
        f"can't write {path} ({error.strerror or error}); {free:.1f} GB are free there: make room or choose another "
        "folder, and run again: what is finished is kept"
    )


def _held_file(path: Path) -> tuple[Path, int]:
    """A new file beside `path`, and its number among the open ones: until that is closed or the process ends, it is
    marked as a living process's."""
    while True:
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        try:
            _lock(number)
        except BlockingIOError:
            pass
        except OSError:  # a disk without locks, on which nothing is swept
            return Path(name), number
        if os.fstat(number).st_nlink:
            return Path(name), number
        os.close(number)  # another process came between and removed it as a leftover


def _lock(number: int) -> None:
    """Takes the lock of an open file.

    Raises:
        BlockingIOError: another process has it.
        OSError: the disk has no locks.
    """
    if fcntl is not None:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _remove_if_dead(path: Path) -> None:
    number = -1
    with suppress(OSError):  # held by its writer, or gone meanwhile
        if fcntl is not None:
            # NFS gives its lock to none that may only read; of a folder it gives none.
            number = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
            _lock(number)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    if number >= 0:
        os.close(number)
