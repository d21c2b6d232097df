"""The numbers of executed notebooks that stand under a name, see `nbkit.studies.shared.quantity`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import unescape
from pathlib import Path

import nbformat

QUANTITY = re.compile(r'<data data-quantity="([^"]*)" value="([^"]*)">')
Places = dict[str, dict[str, set[str]]]
"""By name and whole value, the pages where it stands."""


def quantities_of(notebooks: Iterable[Path]) -> Places:
    """All quantities that the outputs of executed notebooks name."""
    found: Places = {}
    for path in notebooks:
        for name, value in QUANTITY.findall("\n".join(_texts(path))):
            found.setdefault(unescape(name), {}).setdefault(unescape(value), set()).add(path.stem)
    return found


def disagreements(found: Places) -> dict[str, dict[str, set[str]]]:
    """The quantities that have more than one value."""
    return {name: values for name, values in found.items() if len(values) > 1}


def on_several_pages(found: Places) -> set[str]:
    """The names that stand on more than one page."""
    return {name for name, values in found.items() if len(set().union(*values.values())) > 1}


def _texts(path: Path) -> Iterable[str]:
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            data: Mapping[str, str] = output.get("data", {})
            yield from (data[kind] for kind in ("text/html", "text/markdown") if kind in data)
