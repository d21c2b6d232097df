"""A Sphinx extension that takes what outputs carry inside out of the pages, into files beside them.

In a notebook the data of a figure and its pictures are a part of the output, so that it shows them wherever it is
opened. On a page they would be loaded with it.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

DATA, IMAGES = "_data", "_images"
CARRIED_DATA = re.compile(r'download="(?P<name>[\w.-]+)" href="data:text/csv;base64,(?P<data>[^"]+)"')
CARRIED_IMAGE = re.compile(r'src="data:image/png;base64,(?P<data>[^"]+)"')


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx, since `_config.yml` names this module."""
    app.connect("html-page-context", _take_out)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _take_out(app: Sphinx, page: str, _template: str, context: dict[str, Any], _doctree: object) -> None:
    if "body" in context:
        root = context["pathto"]("", resource=True).removesuffix(".")
        context["body"] = without_carried(context["body"], page, Path(app.outdir), root)


def without_carried(body: str, page: str, folder: Path, root: str = "") -> str:
    """The HTML of a page with addresses of files for the data and the pictures that it carries.

    Args:
        body: of the page.
        page: its name, which the folder of its data has.
        folder: that of the site, where the files come.
        root: the way from the page to that folder; empty, or with a slash in the end.
    """
    taken: set[str] = set()

    def data_file(found: re.Match[str]) -> str:
        stem = found["name"].removesuffix(".csv")
        name, number = stem, 1
        while name in taken:  # several figures of one kind
            number += 1
            name = f"{stem}-{number}"
        taken.add(name)
        return f'download="{page}-{name}.csv" href="{root}{_write(folder, f"{DATA}/{page}/{name}.csv", found)}"'

    def image_file(found: re.Match[str]) -> str:
        name = hashlib.sha256(found["data"].encode()).hexdigest()
        return f'src="{root}{_write(folder, f"{IMAGES}/{name}.png", found)}"'

    return CARRIED_IMAGE.sub(image_file, CARRIED_DATA.sub(data_file, body))


def _write(folder: Path, name: str, found: re.Match[str]) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b64decode(found["data"]))
    return name
