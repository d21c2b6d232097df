"""Explorers on pages that have no kernel: a place on the page with the explorer's state, and the files that fill it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import anywidget
import numpy as np

from nbkit import explorers
from nbkit.explorers.shared.bundle import module_text
from nbkit.explorers.shared.data_script import write_data_script
from nbkit.explorers.shared.packing import pack
from nbkit.explorers.shared.page_json import page_json

EXPLORERS: dict[str, type[anywidget.AnyWidget]] = {name: getattr(explorers, name) for name in explorers.__all__}
"""By the names of their classes, which their files have too."""
INLINE = 10_000
"""Characters up to which a text of the state stands on the page itself."""
MODULE_END = """\
export const mount = (element, state) => mountExplorer(render, element, state);
export default { render: async ({ model, el }) => (await mountExplorer(render, el, model)).remove };
"""
EXPORT_WORD = re.compile(r"^export (?!default)", re.MULTILINE)
DEFAULT_EXPORT = re.compile(r"^export default \{ render \};$", re.MULTILINE)


def write_explorers(folder: Path, names: Iterable[str] = EXPLORERS) -> None:
    """Write what pages load into `folder`, which is made if missing: of each explorer two scripts and its style.

    `NAME.js` fills the places of `mount_point` once the page is there (load it with `defer`). `NAME.mjs` is an ES
    module for any other page: it exports `mount(element, state)`, and by default `{render}`, as anywidget's modules do.
    `NAME.css` is the style.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mount = scoped(module_text("shared/mount.js"), "{ mountAll, mountExplorer }")
    for name in names:
        explorer = EXPLORERS[name]
        parts = mount + scoped(str(explorer._esm), "{ render }")
        script = f"{{\n{parts}mountAll({json.dumps(name)}, render);\n}}\n"
        (folder / f"{name}.js").write_text(script, encoding="utf-8")
        (folder / f"{name}.mjs").write_text(parts + MODULE_END, encoding="utf-8")
        (folder / f"{name}.css").write_text(str(explorer._css), encoding="utf-8")


def mount_point(name: str, state: Mapping[str, Any], folder: Path, address: str) -> str:
    """The HTML of a place that the script of an explorer fills.

    Args:
        name: of the explorer's class.
        state: its values (see `state_of`). Those that a kernel must answer to are left out.
        folder: gets a file with the bytes and the long texts among the values, if there are any.
        address: of that folder, from the first page of the site; empty, or with a slash in the end.
    """
    known = page_values(name)
    large: dict[str, Any] = {}
    small: dict[str, Any] = {}
    for key, value in state.items():
        if key in known:
            is_large = isinstance(value, bytes | memoryview) or (isinstance(value, str) and len(value) > INLINE)
            (large if is_large else small)[key] = value
    if large:
        small["file"] = address + _write_values(name, large, folder)
    return (
        f'<div class="nbkit-mount" data-explorer="{name}">'
        f'<script type="application/json">{page_json(small)}</script>'
        "<noscript>This explorer needs JavaScript.</noscript></div>"
    )


def state_of(explorer: anywidget.AnyWidget) -> dict[str, Any]:
    """The values of an explorer that a page without a kernel can show."""
    values: dict[str, Any] = explorer.get_state(page_values(type(explorer).__name__))
    return values


def page_values(name: str) -> set[str]:
    """The names of an explorer's values that mean something on a page without a kernel."""
    return set(EXPLORERS[name].class_own_traits(sync=True, kernel=None))


def _write_values(name: str, values: Mapping[str, Any], folder: Path) -> str:
    """Write long texts and bytes into a file that is named by its content, and return its name."""
    texts = {key: value for key, value in values.items() if isinstance(value, str)}
    arrays = {key: np.frombuffer(value, dtype=np.uint8) for key, value in values.items() if key not in texts}
    layout, packed = pack({"json": np.frombuffer(page_json(texts).encode(), dtype=np.uint8)} | arrays)
    file = f"{name}-{hashlib.sha256(packed).hexdigest()[:12]}.js"
    folder.mkdir(parents=True, exist_ok=True)
    write_data_script(folder / file, layout, packed)
    return file


def scoped(module: str, names: str) -> str:
    """The text of a script that defines some names of an ES module, `{ a, b }`; nothing else is seen from outside."""
    inside = EXPORT_WORD.sub("", DEFAULT_EXPORT.sub("", module))
    return f"const {names} = (() => {{\n{inside}return {names};\n}})();\n"
