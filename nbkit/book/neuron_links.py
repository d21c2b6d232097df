"""What makes the units that a book names lead to its explorer: scripts that every page loads."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import quote, unquote

from nbkit.atlas.atlas import Atlas
from nbkit.explorers.atlas.shard_files import SITES_FOLDER, site_folder, site_name
from nbkit.explorers.atlas.shards import PER_MEDOID_SHARD
from nbkit.explorers.atlas.sites import sites_of
from nbkit.explorers.mount import scoped
from nbkit.explorers.shared.bundle import module_text, style_text

SITE = re.compile(f'"{SITES_FOLDER}/([^"/]+)/"')
"""What an explorer keeps in its notebook, see `AtlasExplorer.site`."""
LINKS, CARD, CARD_STYLE = "neuron-links.js", "neuron-card.js", "neuron-card.css"


def write_neuron_links(folder: Path, pages: Path, atlas: Atlas | None) -> None:
    """Write the script that every page loads, and the card that it loads once a reader wants one.

    Without an atlas or a page that explores it the script does nothing.

    Args:
        folder: gets the files.
        pages: the folder of the executed notebooks.
        atlas: the one that the book is about, with the embedding that its explorer shows.
    """
    script = "// no page of this book explores an atlas\n"
    if atlas is not None and (page := _page_of_explorer(pages, atlas)):
        facts = {
            "page": page,
            "site": f"{quote(site_folder(atlas))}/",
            "sites": sites_of(atlas.manifest),
            "per_medoid_shard": PER_MEDOID_SHARD,
            "sign": atlas.manifest.sign,
            "inputs": atlas.manifest.inputs,
            "embedding": atlas.manifest.embedding,
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


def _page_of_explorer(pages: Path, atlas: Atlas) -> str | None:
    """The first page, by name, whose notebook explores an atlas."""
    wanted = site_name(atlas)
    return next((f"{path.stem}.html" for path in sorted(pages.glob("*.ipynb")) if wanted in explored_in(path)), None)


def explored_in(notebook: Path) -> set[str]:
    """The names of the atlases (see `site_name`) that an executed notebook shows explorers of."""
    return {unquote(name) for name in SITE.findall(notebook.read_text(encoding="utf-8"))}
