"""The shards of an atlas as files, which a page loads without a server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.manifest import MANIFEST, read_manifest
from nbkit.errors import NbkitError
from nbkit.explorers.atlas.shards import AtlasShards, make_parts
from nbkit.explorers.shared.data_script import write_data_script
from nbkit.files import cannot_write_to, check, link_or_copy, read_json, replacing_folder, sha256_of, write_json
from nbkit.parallel.pool import gather

SHARDS_FOLDER = "shards"
MADE_FROM = "made-from.json"
SHARD_FORMAT = 14
"""Goes up when what a shard holds changes, so that files of an older nbkit are made again."""
SITES_FOLDER = "_static/atlases"
SHOWN_WITH = "-embedding-"
"""Between the name of an atlas and another embedding than its own."""
MADE_FROM_FILES = (".json", ".parquet", ".safetensors")
SHARDS_A_TASK = 128
"""Shards that a process makes in one go."""


def write_shards(atlas: Atlas, progress: bool = True) -> Path:
    """Write every shard as a file, once; made again when what they are made from has changed.

    Returns:
        The folder of the files, in the atlas's own.

    Raises:
        NbkitError: the folder can't be written.
    """
    folder = atlas.kept.folder / SHARDS_FOLDER
    try:
        with FileLock(atlas.path / f".{SHARDS_FOLDER}.lock"):
            make_parts(atlas, progress)
            made_from = _made_from(atlas)
            if not _are_made(folder, made_from):
                with replacing_folder(folder) as temporary:
                    _write_all(atlas, temporary, progress)
                    files = {path.name: [path.stat().st_size, sha256_of(path)] for path in sorted(temporary.iterdir())}
                    write_json(made_from | {"files": files}, temporary / MADE_FROM)
    except OSError as error:
        raise NbkitError(f"can't write the shards of {atlas.path} ({error}): make room, and run again") from error
    return folder


def site_folder(atlas: Atlas) -> str:
    """Where a book keeps the files of an atlas, from the folder of its pages."""
    return f"{SITES_FOLDER}/{site_name(atlas)}"


def site_name(atlas: Atlas) -> str:
    """What a book calls an atlas with its embedding: two embeddings of one atlas have files of their own."""
    seen = "" if atlas.made_in == "." else f"{SHOWN_WITH}{atlas.manifest.embedding}"
    return f"{atlas.path.resolve().name}{seen}"


def atlas_of_site(atlases: Path, name: str) -> Atlas:
    """The atlas that `site_name` called so, in a folder of atlases.

    Raises:
        NbkitError: there is none.
    """
    folder = folder_of_site(atlases, name)
    opened = open_atlas(folder)
    return opened if folder.name == name else opened.with_embedding(name.rpartition(SHOWN_WITH)[2])


def folder_of_site(atlases: Path, name: str) -> Path:
    """The folder of the atlas that `site_name` called so, among others, whether or not it is there."""
    own = name.rpartition(SHOWN_WITH)[0]
    return atlases / (name if not own or (atlases / name).is_dir() else own)


def put_shards(atlas: Atlas, target: Path, progress: bool = True) -> None:
    """Put the files of an atlas into a new folder `target`: hard links where the file system has them, else copies.

    Where the atlas's folder can't be written, they are made for this folder alone.

    Raises:
        NbkitError: the disk is full.
    """
    target.mkdir(parents=True)
    if cannot_write_to(atlas.path):
        make_parts(atlas, progress)  # in memory, so that no other process has them
        _write(atlas, target, AtlasShards(atlas).names())
        return
    folder = write_shards(atlas, progress)
    for path in folder.glob("*.js"):
        link_or_copy(path, target / path.name)


def _are_made(folder: Path, made_from: dict[str, Any]) -> bool:
    """Whether the shards are there, made from these very files, and as they were written."""
    try:
        found = read_json(folder / MADE_FROM)
        files = found.pop("files")
        return bool(found == made_from) and not check(folder).damaged and set(files) == _names_in(folder)
    except (NbkitError, AttributeError, KeyError, TypeError):  # not there, damaged, or of an older nbkit
        return False


def _names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {MADE_FROM}


def _write_all(atlas: Atlas, folder: Path, progress: bool) -> None:
    names = AtlasShards(atlas).names()
    parts = [names[start : start + SHARDS_A_TASK] for start in range(0, len(names), SHARDS_A_TASK)]
    gather(_write, [(atlas, folder, part) for part in parts], atlas.n_neurons, "explorer", "part", progress)


def _write(atlas: Atlas, folder: Path, names: Sequence[str]) -> None:
    shards = AtlasShards(atlas)
    for name in names:
        write_data_script(folder / f"{name}.js", *shards.shard(name))


def _made_from(atlas: Atlas) -> dict[str, Any]:
    """The atlas's files with their sizes and times of change, those aside that shards are not made from, such as tables
    of another embedding."""
    paths = [atlas.path / MANIFEST, *(atlas.path / name for name in read_manifest(atlas.path / MANIFEST)[1])]
    paths += [path for path in sorted(atlas.kept.folder.iterdir()) if path.suffix in MADE_FROM_FILES]
    return {
        "schema": SHARD_FORMAT,
        "made_from": {
            path.relative_to(atlas.path).as_posix(): [path.stat().st_size, path.stat().st_mtime_ns]
            for path in paths
            if not path.name.startswith("metrics")
        },
    }
