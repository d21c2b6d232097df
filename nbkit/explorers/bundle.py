"""One served module out of several source files, so that each stays small and can be tested by itself under Node.js."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent
# `import { a, b } from "./file.js";`, on one line or several
RELATIVE_IMPORT = re.compile(r'^import\s[^;]*?\sfrom "\./([\w-]+\.js)";\n', re.MULTILINE)


def module_text(name: str) -> str:
    """Return the text of an ES module of this folder with the modules that it imports from here put before it.

    anywidget serves one string, which a page opens under a `blob:` address where relative imports lead nowhere. All
    files share one scope in the result, so their top-level names must differ.
    """
    order: list[str] = []
    _collect(name, order)
    return "\n".join(RELATIVE_IMPORT.sub("", _read(file)) for file in order)


def _collect(name: str, order: list[str]) -> None:
    for imported in RELATIVE_IMPORT.findall(_read(name)):
        if imported not in order:
            _collect(imported, order)
    order.append(name)


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
