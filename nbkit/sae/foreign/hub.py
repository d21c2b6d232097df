"""Autoencoders on the Hugging Face hub."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from nbkit import assets
from nbkit.errors import NbkitError
from nbkit.files import user_path
from nbkit.sae.foreign.opening import DESCRIPTIONS, UNREAD, WEIGHTS

PREFIX = "hf:"
BESIDE = (*DESCRIPTIONS, *UNREAD, "activation_scaler.json", "activation_whitening.safetensors")
"""What else may lie in a folder and be of use."""


def local_path(place: str | Path) -> Path:
    """Where the files of an autoencoder lie on this machine; those of a hub are fetched first.

    Args:
        place: a path; or `owner/name`, `owner/name/sub/folder` or `owner/name/sub/folder/file` on the hub, with `hf:`
            in front of it or not. What exists as a path is one, and so is a `Path`.

    Raises:
        NbkitError: there is no such place, or it can't be fetched.
    """
    if not isinstance(place, str | os.PathLike):
        raise NbkitError(f"A {type(place).__name__} is no place of an autoencoder: give a path or a hub id.")
    name = os.fspath(place)
    if not isinstance(place, str) or not name.startswith(PREFIX):
        path = user_path(place)
        if not isinstance(place, str) or _is_path(path, name):
            return path
    owner, _, rest = name.removeprefix(PREFIX).partition("/")
    repository, _, inside = rest.partition("/")
    if not owner or not repository:
        raise NbkitError(f"{name!r} names no repository of the hub: give owner/name, or owner/name/sub/folder.")
    return _fetched(f"{owner}/{repository}", inside.strip("/"))


def _is_path(path: Path, name: str) -> bool:
    """Whether a name that may be a hub id is a path: it exists, or doesn't look like `owner/name`."""
    try:
        if path.exists():
            return True
    except OSError as error:  # too long a name
        raise NbkitError(f"{name[:60]!r} is no path ({error.strerror})") from error
    parts = name.split("/")
    file = len(parts) == 2 and path.suffix in (".pt", ".pth", ".npz", ".safetensors")
    return file or name.startswith((".", "/", "~")) or len(parts) < 2 or "\\" in name


def _fetched(repository: str, inside: str) -> Path:
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download

    nothing = f"there is no sparse autoencoder at {'/'.join(filter(None, (repository, inside)))}: no such path"
    if assets.is_offline():
        try:
            return Path(snapshot_download(repository, local_files_only=True)) / inside
        except (OSError, ValueError) as error:
            raise NbkitError(
                f"{nothing}, not in the hub client's cache either, and NBKIT_OFFLINE forbids fetching it"
            ) from error
    try:
        files = HfApi().list_repo_files(repository)
        fetched = [Path(hf_hub_download(repository, name)) for name in _wanted(files, inside, repository)]
    except NbkitError:
        raise
    # The hub's client has several hierarchies of errors; the user's way out is one.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise NbkitError(f"{nothing}, and the hub says: {reason[:120]}") from error
    return fetched[0] if inside in files else fetched[0].parent


def _wanted(files: list[str], inside: str, repository: str) -> list[str]:
    """The files of a folder that an autoencoder may have, its weights first; or one file and what lies beside it."""
    folder = PurePosixPath(inside).parent if inside in files else PurePosixPath(inside)
    weights = [inside] if inside in files else [str(folder / name) for name in WEIGHTS if str(folder / name) in files]
    if not weights:
        folders = sorted({str(PurePosixPath(name).parent) for name in files if PurePosixPath(name).name in WEIGHTS})
        hint = f"it has some in {', '.join(folders[:3])[:120]}" if folders else f"it has none of {', '.join(WEIGHTS)}"
        raise NbkitError(f"the hub's {repository} has no sparse autoencoder in {inside or 'its first folder'}: {hint}")
    beside = [*BESIDE, f"{PurePosixPath(weights[0]).stem}_cfg.json"]
    described = [folder, *([folder.parent] if folder.name == "checkpoints" else [])]
    return [*weights, *(name for place in described for each in beside if (name := str(place / each)) in files)]
