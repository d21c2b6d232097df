"""A Sphinx extension that puts the explorers of executed notebooks onto their pages without a widget manager.

A page with other widgets, or with an explorer that is linked to another widget, has the manager as before.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

from nbkit.explorers.mount import EXPLORERS, mount_point, write_explorers

VIEW, STATES = "application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json"
MOUNTED_FOLDER = "explorers"
"""Of the explorers' files, below the folder of a site's static files."""
Notebook = dict[str, Any]


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("builder-inited", lambda app: write_explorers(_folder(app)))
    app.connect("source-read", _mount)
    app.connect("html-page-context", _load)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _folder(app: Sphinx) -> Path:
    return Path(app.outdir) / "_static" / MOUNTED_FOLDER


def _mount(app: Sphinx, name: str, content: list[str]) -> None:
    if Path(app.env.doc2path(name)).suffix == ".ipynb":
        notebook = json.loads(content[0])
        if mount_explorers(notebook, _folder(app), f"_static/{MOUNTED_FOLDER}/"):
            content[0] = json.dumps(notebook)


def mount_explorers(notebook: Notebook, folder: Path, address: str) -> bool:
    """Replace the explorers among a notebook's outputs by places that scripts fill.

    Args:
        notebook: an executed notebook; changed.
        folder: gets files with what is too large for the page.
        address: of the folder (see `nbkit.explorers.mount.mount_point`).

    Returns:
        Whether there were any.
    """
    states = notebook["metadata"].get("widgets", {}).get(STATES, {}).get("state", {})
    found = {
        model: name for model, widget in states.items() if (name := _explorer(widget)) and _is_alone(model, states)
    }
    for output in (output for cell in notebook["cells"] for output in cell.get("outputs", [])):
        data = output.get("data", {})
        model = data.get(VIEW, {}).get("model_id")
        if model in found:
            del data[VIEW]
            data["text/html"] = mount_point(found[model], _values(states[model]), folder, address)
    for model in found:
        del states[model]
    if not any("_view_name" in widget["state"] and widget["model_name"] != "LayoutModel" for widget in states.values()):
        notebook["metadata"].pop("widgets", None)  # nothing is left but the layouts of explorers
    return bool(found)


def _explorer(widget: Notebook) -> str | None:
    """The name of the explorer's class that a widget's state is of."""
    package, _, name = str(widget["state"].get("_anywidget_id", "")).rpartition(".")
    return name if name in EXPLORERS and package == EXPLORERS[name].__module__ else None


def _is_alone(model: str, states: Notebook) -> bool:
    return not any(f"IPY_MODEL_{model}" in json.dumps(each["state"]) for each in states.values())


def _values(widget: Notebook) -> Notebook:
    """The values of a saved widget, with its bytes."""
    values = dict(widget["state"])
    for buffer in widget.get("buffers", []):
        [name] = buffer["path"]
        values[name] = base64.b64decode(buffer["data"])
    return values


def _load(app: Sphinx, _page: str, _template: str, context: Mapping[str, Any], _doctree: object) -> None:
    """Let a page load the explorers that it has."""
    for name in EXPLORERS:
        if f'<div class="nbkit-mount" data-explorer="{name}"' in context.get("body", ""):
            app.add_css_file(f"{MOUNTED_FOLDER}/{name}.css")
            app.add_js_file(f"{MOUNTED_FOLDER}/{name}.js", loading_method="defer")
