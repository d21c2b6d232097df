"""A page that holds an atlas explorer and nothing else, with the real code, style and files; no book is built."""

from __future__ import annotations

import json
from pathlib import Path

from nbkit.atlas.atlas import Atlas
from nbkit.explorers import AtlasExplorer
from nbkit.explorers.atlas.shard_files import put_shards, site_folder

PAGE = """<!doctype html>
<html lang="en" data-content_root="./">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<style>{style}</style>
<body><div id="here"></div>
<script type="module">
import widget from "./explorer.js";
const state = {state};
const model = {{ get: (name) => state[name], set: (name, value) => {{ state[name] = value; }},
  save_changes() {{}}, on() {{}}, off() {{}}, send() {{}} }};
widget.render({{ model, el: document.getElementById("here") }});
</script>
"""


def write_page(atlas: Atlas, folder: Path) -> Path:
    """Write the page, `page.html`, its script and the atlas's files into a new folder; serve it to open it."""
    put_shards(atlas, folder / site_folder(atlas), progress=False)
    explorer = AtlasExplorer(atlas)
    state = {name: value for name, value in explorer.get_state().items() if not name.startswith("_")}
    text = PAGE.format(style=AtlasExplorer._css, state=json.dumps(state))
    (folder / "page.html").write_text(text, encoding="utf-8")
    (folder / "explorer.js").write_text(str(AtlasExplorer._esm), encoding="utf-8")
    return folder
