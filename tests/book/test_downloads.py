"""A notebook that was taken along: it installs what it needs, and runs where nothing else is."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest

import nbkit
from nbkit.book import wheel
from nbkit.book.downloads import WHEELS
from nbkit.book.wheel import wheel_name, write_wheel


def test_the_wheel_holds_the_package_and_is_the_same_each_time(tmp_path: Path) -> None:
    first = write_wheel(tmp_path)
    data = first.read_bytes()
    assert write_wheel(tmp_path).read_bytes() == data
    names = set(zipfile.ZipFile(first).namelist())
    package = Path(nbkit.__file__).parent
    kept = {p for p in package.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    assert {f"nbkit/{path.relative_to(package).as_posix()}" for path in kept} <= names, "no file is forgotten"
    assert not any("__pycache__" in name for name in names)
    assert first.name == f"nbkit-{nbkit.__version__}-py3-none-any.whl"


@pytest.mark.parametrize("folder", ["nbkit-0.1.0.dist-info", "nbkit.egg-info"])
def test_the_wheel_tells_about_the_package_wherever_it_is_read(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = tmp_path / folder
    about.mkdir()
    (about / ("METADATA" if folder.endswith("dist-info") else "PKG-INFO")).write_text("Name: nbkit\nVersion: 0.1.0\n")
    (about / "entry_points.txt").write_text("[console_scripts]\n")
    (tmp_path / "LICENSE").write_text("Do as you like.\n")
    monkeypatch.setattr(wheel, "distribution", lambda _: importlib.metadata.PathDistribution(about))
    archive = zipfile.ZipFile(write_wheel(tmp_path))
    [metadata] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    assert archive.read(metadata.replace("METADATA", "licenses/LICENSE")) == b"Do as you like.\n"
    assert archive.read(metadata) == b"Name: nbkit\nVersion: 0.1.0\n"


def test_downloaded_notebooks_install_what_they_need_and_run_in_an_empty_folder(
    mini_book: Path, tmp_path: Path
) -> None:
    page = (mini_book / "explorer.html").read_text(encoding="utf-8")
    for address in (f"{WHEELS}/{wheel_name()}", "_sources/explorer.ipynb"):
        assert f'href="{address}"' in page
    elsewhere, installed = tmp_path / "elsewhere", tmp_path / "installed"
    elsewhere.mkdir()
    installed.mkdir()
    for path in (mini_book / "_sources" / "index.ipynb", mini_book / WHEELS / wheel_name()):
        shutil.copy(path, elsewhere)
    notebook = nbformat.read(elsewhere / "index.ipynb", as_version=4)
    assert notebook.cells[0].source.splitlines()[0] == f"%pip install --quiet ./{wheel_name()}"
    assert "the quick one" in notebook.cells[2].source, "with the parameters of the page"
    notebook.cells.append(nbformat.v4.new_code_cell("import nbkit\nfrom pathlib import Path\nPath(nbkit.__file__)"))
    nbformat.write(notebook, elsewhere / "index.ipynb")
    # pip puts this package alone where the kernel looks first; what it needs is here already
    pip = {"PIP_TARGET": str(installed), "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1"}
    command = [sys.executable, "-m", "papermill", "index.ipynb", "done.ipynb", "--no-progress-bar"]
    done = subprocess.run(
        command,
        cwd=elsewhere,
        env={**os.environ, **pip, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    last = nbformat.read(elsewhere / "done.ipynb", as_version=4).cells[-1]
    assert str(installed / "nbkit") in last.outputs[0].data["text/plain"]
