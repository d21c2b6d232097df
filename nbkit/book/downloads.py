"""A Sphinx extension for notebooks that readers take along: each begins with the line that installs what it needs.

That is a wheel of this very nbkit, which lies beside the pages and in the same menu.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from sphinx.application import Sphinx

from nbkit.book.wheel import wheel_name, write_wheel

WHEELS = "_downloads"
"""The wheel's folder among the pages."""


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx, since `_config.yml` names this module."""
    app.connect("html-page-context", _offer_wheel, priority=502)  # once the theme has made its menu
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _offer_wheel(app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object) -> None:
    for group in context.get("header_buttons", []):
        if group.get("label") == "download-buttons" and context.get("page_source_suffix") == ".ipynb":
            wheel = {
                "type": "link",
                "url": f"{context['pathto'](WHEELS, 1)}/{wheel_name()}",
                "text": ".whl",
                "tooltip": "Download nbkit, which the notebook installs",
                "icon": "fas fa-cube",
                "label": "download-wheel-button",
            }
            group["buttons"].insert(1, wheel)


def _finish(app: Sphinx, failed: Exception | None) -> None:
    if failed is None and app.builder.format == "html":
        site = Path(app.outdir)
        (site / WHEELS).mkdir(exist_ok=True)
        write_wheel(site / WHEELS)
        for path in sorted((site / "_sources").glob("*.ipynb")):
            begin_with_install(path)


def begin_with_install(path: Path) -> None:
    """Put the cell that installs nbkit before all others of a notebook."""
    notebook = nbformat.read(path, as_version=4)
    source = (
        f"%pip install --quiet ./{wheel_name()}\n"
        "# nbkit is not on PyPI, where another package has this name: download this file from the same menu as the\n"
        "# notebook and put it beside."
    )
    notebook.cells.insert(0, nbformat.v4.new_code_cell(source, id="install"))
    nbformat.write(notebook, path)
