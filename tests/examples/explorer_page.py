"""A page that holds an atlas explorer and nothing else, with the real code, style and files; no book is built."""

from __future__ import annotations

from pathlib import Path

from nbkit.atlas.atlas import Atlas
from nbkit.explorers import AtlasExplorer
from nbkit.explorers.atlas.shard_files import put_shards, site_folder
from nbkit.explorers.mount import mount_point, state_of, write_explorers

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="AtlasExplorer.css">
<script src="AtlasExplorer.js" defer></script>
<body>{place}</body>
"""


def write_page(atlas: Atlas, folder: Path) -> Path:
    """Write the page, `page.html`, its script and the atlas's files into a new folder."""
    put_shards(atlas, folder / site_folder(atlas), progress=False)
    write_explorers(folder, ["AtlasExplorer"])
    place = mount_point("AtlasExplorer", state_of(AtlasExplorer(atlas)), folder, "")
    (folder / "page.html").write_text(PAGE.format(place=place), encoding="utf-8")
    return folder
