"""One served module out of several source files, so that each stays small and can be tested by itself under Node.js."""

from __future__ import annotations

import re
from pathlib import Path

EXPLORERS_FOLDER = Path(__file__).parents[1]
"""Of all explorers; modules and styles are named from here: `atlas/atlas.js`."""
# `import { a, b } from "../shared/file.js";`, on one line or several
RELATIVE_IMPORT = re.compile(r'^import\s+\{([^}]*)\}\s+from "(\.\.?/[\w./-]+\.js)";\n', re.MULTILINE)
ANY_IMPORT = re.compile(r"^import\b.*", re.MULTILINE)
EXPORTED_NAME = re.compile(r"^export (?:async )?(?:function\*?|class|const|let) (\w+)", re.MULTILINE)


def module_text(name: str) -> str:
    """Return the text of an ES module with the modules that it imports, from its folder and others, put before it.

    anywidget serves one string, which a page opens under a `blob:` address where relative imports lead nowhere. All
    files share one scope in the result, so their top-level names must differ.

    Raises:
        ValueError: a module imports a name that the other does not export, or imports in a form that is not known here.
    """
    order: list[Path] = []
    _collect((EXPLORERS_FOLDER / name).resolve(), order)
    return "\n".join(RELATIVE_IMPORT.sub("", _read(path)) for path in order)


def style_text(*names: str) -> str:
    """Return the text of several style sheets, one after another."""
    return "".join(_read(EXPLORERS_FOLDER / name) for name in names)


def _collect(path: Path, order: list[Path]) -> None:
    text = _read(path)
    for names, other in RELATIVE_IMPORT.findall(text):
        imported = (path.parent / other).resolve()
        asked = {name.strip() for name in names.split(",") if name.strip()}
        if missing := sorted(asked - set(EXPORTED_NAME.findall(_read(imported)))):
            raise ValueError(f"{path.name} imports {missing[0]} from {imported.name}, which does not export it")
        if imported not in order:
            _collect(imported, order)
    if odd := ANY_IMPORT.search(RELATIVE_IMPORT.sub("", text)):
        raise ValueError(f"{path.name} imports in a form that the bundler does not know: {odd[0]}")
    order.append(path)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
