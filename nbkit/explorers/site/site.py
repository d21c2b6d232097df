"""The explorer of an atlas, or of two, as a static site: no notebook, no server, no network."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.made_from import looked_for
from nbkit.errors import NbkitError
from nbkit.explorers.atlas.atlas import AtlasExplorer
from nbkit.explorers.atlas.shard_files import put_shards, site_folder
from nbkit.explorers.mount import mount_point, state_of, write_explorers
from nbkit.explorers.shared.bundle import EXPLORERS_FOLDER
from nbkit.explorers.site.pages import Other, atlas_page, pair_page
from nbkit.figures.data_link import as_csv
from nbkit.files import handing_over, replacing, user_path
from nbkit.method.embeddings import EMBEDDING_NAMES
from nbkit.models.site import CENTERED

MARKER = "nbkit-site.json"
EXPLORER_NAME = AtlasExplorer.__name__
MOST_ATLASES = 2


@dataclass(frozen=True)
class _Part:
    """One atlas of a site."""

    atlas: Atlas
    folder: str
    """From the folder of the site; "." if it is the only one."""
    names_embedding: bool
    """Whether its title does."""

    @property
    def title(self) -> str:
        manifest = self.atlas.manifest
        side = "" if manifest.sign == "positive" else f", {looked_for(manifest)}"
        kind = manifest.embedding
        of = "centered vectors" if kind == CENTERED else EMBEDDING_NAMES[kind]
        return f"{manifest.model_title} on {manifest.corpus}{side}{f', {of}' if self.names_embedding else ''}"


def write_site(atlases: Atlas | Sequence[Atlas], out: str | Path, archive: bool = False, progress: bool = True) -> Path:
    """Write the explorer of an atlas, or of two side by side, as a folder of static files.

    It opens with a double click, from any server and at any path there, and asks the network for nothing. What the
    explorer shows is made first, unless a book or an earlier site has made it: it stays in the atlas's folder.

    Args:
        atlases: one, or two: then each page links to the other's, to the same neuron where there is one.
        out: a new folder, or that of an earlier site, which is replaced.
        archive: whether to write the folder as a ZIP file beside it, too.
        progress: whether to show bars.

    Returns:
        The page to open.

    Raises:
        NbkitError: there are more than two, `out` holds something else or can't be written, or the disk is full.
    """
    shown = [atlases] if isinstance(atlases, Atlas) else atlases
    if not isinstance(shown, list | tuple) or not all(isinstance(atlas, Atlas) for atlas in shown):
        raise NbkitError("a site is of an atlas: give what nbkit.open_atlas returns, or a list of two")
    if not 1 <= len(shown) <= MOST_ATLASES:
        raise NbkitError(f"a site shows one atlas or two, and comes into a folder of its own: got {len(shown)} atlases")
    differ = len({atlas.manifest.embedding for atlas in shown}) > 1
    parts = [_Part(atlas, folder, differ) for atlas, folder in zip(shown, _folders(shown), strict=True)]
    target = user_path(out).resolve()
    for part in parts:
        if part.atlas.path.resolve().is_relative_to(target):
            raise NbkitError(f"{out} is the atlas's own folder or holds it: name a new folder for the site")
    zipped = target.with_name(f"{target.name}.zip")
    if archive and zipped.exists() and not (target / MARKER).is_file():
        raise NbkitError(f"{zipped} is there already and was not made by this command: name another folder")
    with handing_over(out, MARKER) as folder:
        for part in parts:
            other = next((each for each in parts if each is not part), None)
            _write_part(part, other, folder / part.folder, progress)
        if len(parts) > 1:
            _put_own_files(folder)
            page = pair_page([(part.title, part.folder) for part in parts])
            (folder / "index.html").write_text(page, encoding="utf-8")
        about = {"atlases": {part.folder: part.title for part in parts}}
        (folder / MARKER).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    if archive:
        _write_archive(target, zipped)
    return target / "index.html"


def _write_archive(folder: Path, target: Path) -> None:
    """Write a folder as a ZIP file, which unpacks to a folder of the same name."""
    with (
        replacing(target) as temporary,
        # the data are compressed already: more effort takes a minute and gains little
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.write(path, Path(folder.name) / path.relative_to(folder))


def _write_part(part: _Part, other: _Part | None, folder: Path, progress: bool) -> None:
    """Write the page of one atlas with all that it needs."""
    folder.mkdir(exist_ok=True)
    put_shards(part.atlas, folder / site_folder(part.atlas), progress)
    write_explorers(folder, [EXPLORER_NAME])
    _put_own_files(folder)
    (folder / "neurons.csv").write_text(as_csv(part.atlas.neurons), encoding="utf-8")
    place = mount_point(EXPLORER_NAME, state_of(AtlasExplorer(part.atlas)), folder, "")
    beside = None
    if other is not None:
        beside = Other(other.title, f"../{other.folder}/index.html", _are_alike(part.atlas, other.atlas))
    (folder / "index.html").write_text(atlas_page(part.atlas.manifest, part.title, place, beside), encoding="utf-8")


def _put_own_files(folder: Path) -> None:
    for name in ("site.css", "site.js"):
        shutil.copyfile(EXPLORERS_FOLDER / "site" / name, folder / name)


def _folders(atlases: Sequence[Atlas]) -> list[str]:
    """A folder for each atlas, named by its model and corpus."""
    if len(atlases) == 1:
        return ["."]
    names = [
        re.sub(r"[^a-z0-9.]+", "-", f"{atlas.manifest.model_name}-{atlas.manifest.corpus}".lower()).strip("-.")
        for atlas in atlases
    ]
    return names if len(set(names)) == len(names) else [f"{name}-{place}" for place, name in enumerate(names, start=1)]


def _are_alike(one: Atlas, other: Atlas) -> bool:
    """Whether a unit of one atlas is a place in the other, too: of autoencoders, whether they are the same."""
    shapes = [
        [(site.number, site.name, site.n_units, site.sha256) for site in atlas.manifest.sites] for atlas in (one, other)
    ]
    return shapes[0] == shapes[1]
