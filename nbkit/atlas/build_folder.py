"""The folder of an atlas while it is built: what a build that was interrupted left there, and who holds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from nbkit.atlas.job import IDENTITY, SCAN, TEXT, AtlasJob
from nbkit.atlas.manifest import MANIFEST, Manifest, read_manifest, write_manifest
from nbkit.corpora import CONTEXT_FILES, open_contexts, write_contexts
from nbkit.errors import NbkitError
from nbkit.files import is_leftover, make_folder, not_writable, sweep, user_path

BUILD_LOCK = ".lock"


def contexts_folder(out: str | Path) -> Path | None:
    """Where the contexts of an atlas lie until it is finished, for `load_contexts` to keep them there; None if it is.

    Raises:
        NbkitError: `out` holds something else.
    """
    folder = user_path(out)
    if (folder / MANIFEST).is_file():
        return None
    if folder.is_dir() and not (folder / SCAN / IDENTITY).is_file():
        _check_unbegun(folder)
    return folder / TEXT


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Makes an atlas's folder and holds it.

    Raises:
        NbkitError: it holds something else, or can't be written.
    """
    make_folder(folder)
    try:
        names = {path.name for path in folder.iterdir()}
        if names and not names & {BUILD_LOCK, MANIFEST, SCAN}:
            raise _foreign(folder, names)  # without leaving as much as a lock in it
        lock = FileLock(folder / BUILD_LOCK)
        lock.acquire()
    except OSError as error:
        raise not_writable(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def is_finished(folder: Path, manifest: Manifest) -> bool:
    """Whether `folder` holds this very atlas, all of it, whatever its embedding; if not, it is empty or holds a part of
    it.

    Raises:
        NbkitError: if it holds anything else.
    """
    scan = folder / SCAN
    for path in (folder / MANIFEST, scan / IDENTITY):
        if not path.is_file():
            continue
        found, _ = read_manifest(path)
        if path.name == MANIFEST:
            found = replace(found, embedding=manifest.embedding)
        if differences := manifest.differences(found):
            raise NbkitError(
                f"{folder} holds an atlas of another {', '.join(differences)}: choose another folder, or delete it"
            )
        return path.name == MANIFEST
    _check_unbegun(folder)
    return False


def _check_unbegun(folder: Path) -> None:
    """Raises NbkitError if a folder without an identity holds something: a build that was killed before it wrote that
    leaves a lock, and a folder for the scan with nothing but contexts in it."""
    scan, text = folder / SCAN, folder / TEXT
    names = {path.name for path in folder.iterdir()} - {BUILD_LOCK, SCAN}
    if _others(scan, {text.name}) or _others(text, {BUILD_LOCK, *CONTEXT_FILES}):
        names.add(SCAN)
    if names:
        raise _foreign(folder, names)


def _others(folder: Path, names: set[str]) -> bool:
    """Whether there is a folder with more in it than some names and what killed processes left, or a file."""
    if not folder.is_dir():
        return folder.exists()
    return any(path.name not in names and not is_leftover(path) for path in folder.iterdir())


def begin(folder: Path, job: AtlasJob, manifest: Manifest) -> None:
    """Makes a folder ready for its scan, or for going on with it.

    Raises:
        NbkitError: the folder can't be written, or weights can't be had as the config wants them.
    """
    for layer in job.config.numbers:
        job.units.weights(layer)  # such as can't be folded are refused before the scan
    scan = folder / SCAN
    try:
        scan.mkdir(exist_ok=True)
    except OSError as error:
        raise not_writable(folder, error) from error
    sweep(folder)
    sweep(scan)
    if not (scan / IDENTITY).is_file():
        write_manifest(manifest, scan / IDENTITY)


def share(folder: Path, job: AtlasJob, manifest: Manifest) -> None:
    """Puts what other processes need to open a job to its parts.

    Raises:
        NbkitError: the place is out of reach, or has parts of another atlas.
    """
    text = folder / TEXT
    if not all((text / name).is_file() for name in CONTEXT_FILES) or open_contexts(text).sha256 != job.contexts.sha256:
        write_contexts(job.contexts, text)
    if job.place.has(f"{SCAN}/{IDENTITY}"):
        found, _ = read_manifest(job.place.local(SCAN, IDENTITY) / IDENTITY)
        if differences := manifest.differences(found):
            raise NbkitError(f"{job.place} holds an atlas of another {', '.join(differences)}: choose another address")
    job.place.share([f"{TEXT}/{name}" for name in CONTEXT_FILES] + [f"{SCAN}/{IDENTITY}"], folder)


def _foreign(folder: Path, names: set[str]) -> NbkitError:
    shown = ", ".join(sorted(names)[:3]) + (", …" if len(names) > 3 else "")
    return NbkitError(f"{folder} is not empty and holds no atlas ({shown}): choose another folder")
