"""One module out of several files: what is joined, what is refused, and that each file also stands by itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from nbkit.explorers.shared import bundle
from tests.browser.node import run_module

SCRIPTS = {"site/site.js"}  # of a page, and no modules
MODULES = sorted(
    {path.relative_to(bundle.EXPLORERS_FOLDER).as_posix() for path in bundle.EXPLORERS_FOLDER.rglob("*.js")} - SCRIPTS
)


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The explorers' folder, copied for a test that breaks a file; the bundler reads this one."""
    folder = tmp_path / "explorers"
    shutil.copytree(
        bundle.EXPLORERS_FOLDER, folder, ignore=lambda place, names: [n for n in names if n.endswith(".py")]
    )
    monkeypatch.setattr(bundle, "EXPLORERS_FOLDER", folder)
    return folder


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_what_a_module_imports_stands_before_it_once() -> None:
    text = bundle.module_text("latent/latent.js")
    assert not bundle.ANY_IMPORT.search(text)
    order = ["export function element(", "export function number(", "export class Answers", "export default"]
    assert [text.count(name) for name in order] == [1] * 4
    assert sorted(order, key=text.index) == order


@pytest.mark.parametrize("place", ["latent/latent.js", "latent/answers.js"])
def test_a_name_that_a_module_does_not_export_is_refused(place: str, copy: Path) -> None:
    change(copy / place, "import { ", "import { missing, ")
    with pytest.raises(ValueError, match=rf"{Path(place).name} imports missing from [\w-]+\.js"):
        bundle.module_text("latent/latent.js")


def test_a_name_imported_under_another_is_refused(copy: Path) -> None:
    change(copy / "latent/latent.js", "import { barList }", "import { barList, element as other }")
    with pytest.raises(ValueError, match=r"imports element as other from bars\.js"):
        bundle.module_text("latent/latent.js")


@pytest.mark.parametrize(
    "line",
    [
        'import * as bars from "../shared/bars.js";',
        'import bars from "../shared/bars.js";',
        'import "../shared/bars.js";',
        "import { barList } from '../shared/bars.js';",
        'import { barList } from "bars";',
    ],
)
def test_an_import_in_another_form_is_refused(line: str, copy: Path) -> None:
    path = copy / "shared" / "axis.js"
    path.write_text(f"{line}\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"axis\.js imports in a form that the bundler does not know: import"):
        bundle.module_text("pareto/pareto.js")


def faults_of(folder: Path) -> dict[str, str]:
    """Import each module of a folder by itself under Node.js, which checks every name; for those that fail, why."""
    (folder / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    addresses = {name: (folder / name).as_uri() for name in MODULES}
    script = """
const faults = {};
for (const [name, address] of Object.entries(ADDRESSES))
  await import(address).catch((error) => { faults[name] = String(error); });
console.log(JSON.stringify(faults));
"""
    found: dict[str, str] = json.loads(run_module(script.replace("ADDRESSES", json.dumps(addresses))))
    return found


def test_every_module_can_be_imported_by_itself(copy: Path) -> None:
    assert len(MODULES) > 20
    assert faults_of(copy) == {}


def test_a_module_that_cannot_is_seen(copy: Path) -> None:
    change(copy / "latent" / "answers.js", "import { ", "import { missing, ")
    faults = faults_of(copy)
    assert set(faults) == {"latent/answers.js", "latent/latent.js"}
    assert "missing" in faults["latent/answers.js"]
