"""The cache: one folder for each asset, filled under a lock, complete or absent, and checked on every use.

An asset is downloaded and prepared in a temporary folder inside the cache and renamed into place. Its folder holds
`asset.json` with the size, modification time and sha256 of every file. The first use in a process compares sizes and
checksums, whatever the times say. A damaged file is reported, not replaced: another process may be reading it, and
a disk that damages files is something to know.
"""

import errno
import os
import shutil
import sys
import tempfile
from contextlib import AbstractContextManager, suppress
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

import platformdirs
from filelock import FileLock, Timeout
from tqdm.auto import tqdm

from nbkit.assets.catalog import ASSETS, Asset, Download
from nbkit.assets.clients import SourceError, obtain
from nbkit.errors import NbkitError
from nbkit.files import read_json, sha256_of, user_path, write_json

_MANIFEST = "asset.json"
_SCHEMA = 1


def cache_folder() -> Path:
    """Return the folder that holds the assets: `NBKIT_CACHE`, or nbkit's place in the user's cache folder."""
    chosen = os.environ.get("NBKIT_CACHE")
    return user_path(chosen).absolute() if chosen else Path(platformdirs.user_cache_dir("nbkit", False))


def is_offline() -> bool:
    """Return whether `NBKIT_OFFLINE` forbids the network."""
    return os.environ.get("NBKIT_OFFLINE", "") not in ("", "0")


def fetch(name: str) -> Path:
    """Return where an asset lies in the cache, a file or a folder; fetch it first if it is not there.

    Safe to call from several processes: one fetches, the others wait for it.

    Raises:
        NbkitError: unknown name; not cached and offline; no source delivers, or with another checksum than the known
            one; the cache can't be written or is full; the cached files are damaged.
    """
    asset = _find(name)
    folder = cache_folder() / asset.folder
    if not folder.is_dir():
        _fill(asset, folder)
    _check(asset, folder)
    _sweep_behind(asset, folder.parent)
    return folder / asset.result


def describe() -> list[str]:
    """Return one line for each asset: name, what it is, license, size to download, whether it is in the cache."""
    lines = []
    for asset in ASSETS.values():
        state = "in the cache" if (cache_folder() / asset.folder).is_dir() else "not fetched"
        lines.append(f"{asset.name}: {asset.what}. {asset.license}. {_megabytes(asset)}, {state}.")
    return lines


def _find(name: str) -> Asset:
    if name not in ASSETS:
        near = get_close_matches(name, ASSETS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(ASSETS)}."
        raise NbkitError(f"No asset is called {name!r}: {hint}")
    return ASSETS[name]


def _fill(asset: Asset, folder: Path) -> None:
    """Put the asset's folder into the cache, whole."""
    cache = folder.parent
    if is_offline():
        raise NbkitError(
            f"{asset.name!r} is not in the cache {cache}, and NBKIT_OFFLINE forbids fetching it: unset NBKIT_OFFLINE, "
            f"or run `nbkit fetch {asset.name}` on a machine with a network and copy its folder {folder.name} there."
        )
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(asset, cache):
            if folder.is_dir():  # the process that held the lock has fetched it
                return
            _sweep(asset, cache)
            _require_space(asset, cache)
            with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=cache) as scratch:
                _build(asset, Path(scratch)).rename(folder)
    except OSError as error:
        _explain(error, asset, cache)


def _sweep_behind(asset: Asset, cache: Path) -> None:
    """Remove what a process left that was killed when the asset was in place already, unless one is at work."""
    if any(cache.glob(f".{asset.folder}-*")):
        with suppress(OSError, Timeout), FileLock(cache / f".{asset.folder}.lock", timeout=0):
            _sweep(asset, cache)


def _sweep(asset: Asset, cache: Path) -> None:
    """Remove what killed processes left; only for the one that holds the lock."""
    for left_over in cache.glob(f".{asset.folder}-*"):
        shutil.rmtree(left_over, ignore_errors=True)


def _locked(asset: Asset, cache: Path) -> AbstractContextManager[object]:
    lock = FileLock(cache / f".{asset.folder}.lock")
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        _say(f"nbkit: waiting for another process that fetches {asset.name}")
        return lock.acquire()


def _require_space(asset: Asset, cache: Path) -> None:
    if shutil.disk_usage(cache).free < _needed(asset):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _needed(asset: Asset) -> int:
    """Return the bytes in use at the worst moment, when archives, what is in them and what is kept lie side by side."""
    return asset.size + 2 * sum(download.size for download in asset.downloads)


def _build(asset: Asset, scratch: Path) -> Path:
    """Download and prepare an asset below `scratch`; return the folder to keep."""
    _say(f"nbkit: fetching {asset.name} ({_megabytes(asset)}) into {scratch.parent}")
    files = []
    for download in asset.downloads:
        files.append(_download(asset, download, scratch))
    kept = scratch / "kept"
    kept.mkdir()
    asset.prepare(files, kept)
    records = {}
    for file in sorted(path for path in kept.rglob("*") if path.is_file()):
        status = file.stat()
        records[file.relative_to(kept).as_posix()] = [status.st_size, status.st_mtime_ns, sha256_of(file)]
    write_json({"schema": _SCHEMA, "asset": asset.name, "files": records}, kept / _MANIFEST)
    return kept


def _download(asset: Asset, download: Download, scratch: Path) -> Path:
    reasons = []
    for source in download.sources:
        place = Path(tempfile.mkdtemp(dir=scratch))
        try:
            file = obtain(source, place)
        except SourceError as error:
            reasons.append(f"{source}: {error}")
            continue
        found = sha256_of(file)
        if found == download.sha256:
            return file.rename(scratch / download.file)
        reasons.append(f"{source}: {file.name} has sha256 {found}, not {download.sha256}")
        shutil.rmtree(place)
    raise NbkitError(
        f"{asset.name!r} could not be fetched ({'; '.join(reasons)}). Try again where one of these is in reach, or "
        f"copy the folder {asset.folder} from another machine's cache into {scratch.parent}."
    )


def _check(asset: Asset, folder: Path) -> None:
    """Raise if a cached file is not what was put there."""
    try:
        manifest = read_json(folder / _MANIFEST)
        records: dict[str, list[object]] = manifest["files"] if manifest["schema"] == _SCHEMA else {}
        damaged = [] if records else [_MANIFEST]
        for name, (size, _, checksum) in records.items():
            same = (folder / name).stat().st_size == size and sha256_of(folder / name) == checksum
            damaged += [] if same else [name]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        damaged = [str(error)]
    if damaged:
        raise NbkitError(
            f"The cached {asset.name!r} is damaged ({damaged[0]}): delete the folder {folder} and run "
            f"`nbkit fetch {asset.name}`."
        )


def _explain(error: OSError, asset: Asset, cache: Path) -> NoReturn:
    way_out = "or set NBKIT_CACHE to a folder elsewhere."
    if error.errno == errno.ENOSPC:
        text = f"The cache {cache} has no room for {asset.name!r}: free {_needed(asset) / 1e6:,.0f} MB there, {way_out}"
    else:
        reason = error.strerror or str(error)
        text = f"{asset.name!r} can't be put into the cache {cache} ({reason}): make it writable, {way_out}"
    raise NbkitError(text) from error


def _megabytes(asset: Asset) -> str:
    return f"{sum(download.size for download in asset.downloads) / 1e6:.1f} MB"


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)
