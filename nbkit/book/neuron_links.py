"""What makes the units that a book names lead to its explorer: scripts that every page loads."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

from nbkit.atlas.atlas import Atlas
from nbkit.explorers import AtlasExplorer
from nbkit.explorers.atlas.shard_files import site_folder
from nbkit.explorers.atlas.shards import PER_MEDOID_SHARD
from nbkit.explorers.atlas.sites import sites_of
from nbkit.explorers.mount import scoped
from nbkit.explorers.shared.bundle import module_text, style_text

LINKS, CARD, CARD_STYLE = "neuron-links.js", "neuron-card.js", "neuron-card.css"


def write_neuron_links(folder: Path, pages: Path, atlas: Atlas | None) -> None:
    """Write the script that every page loads, and the card that it loads once a reader wants one.

    Without an atlas or a page that explores it the script does nothing.

    Args:
        folder: gets the files.
        pages: the folder of the executed notebooks.
        atlas: the one that the book is about.
    """
    script = "// no page of this book explores an atlas\n"
    if atlas is not None and (page := _page_of_explorer(pages)):
        facts = {
            "page": page,
            "site": f"{quote(site_folder(atlas))}/",
            "sites": sites_of(atlas.manifest),
            "per_medoid_shard": PER_MEDOID_SHARD,
        }
        links = scoped(module_text("atlas/neuron-links.js"), "{ linkNeurons }")
        here = 'new URL(".", document.currentScript.src).href'
        start = f'document.addEventListener("DOMContentLoaded", linkNeurons.bind(null, {json.dumps(facts)}, {here}));'
        script = f"{{\n{links}{start}\n}}\n"
        card = scoped(module_text("atlas/neuron-card.js"), "{ neuronCard }")
        (folder / CARD).write_text(f"{{\n{card}window.nbkitNeuronCard = neuronCard;\n}}\n", encoding="utf-8")
        style = style_text("shared/explorer.css", "atlas/neuron-card.css")
        (folder / CARD_STYLE).write_text(style, encoding="utf-8")
    (folder / LINKS).write_text(script, encoding="utf-8")


def _page_of_explorer(pages: Path) -> str | None:
    """The first page, by name, whose notebook shows an atlas explorer."""
    mark = f"{AtlasExplorer.__module__}.{AtlasExplorer.__name__}"
    found = (path for path in sorted(pages.glob("*.ipynb")) if mark in path.read_text(encoding="utf-8"))
    return next((f"{path.stem}.html" for path in found), None)
