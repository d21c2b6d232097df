"""Execute notebooks with papermill, several at a time."""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import nbformat
import yaml
from papermill.translators import PythonTranslator
from tqdm.auto import tqdm

from nbkit.book.unchanged import NAME, Parameters, made_of
from nbkit.errors import NbkitError
from nbkit.parallel.children import end_guarded, run_guarded

START_TIMEOUT = 600
"""Seconds that a kernel may take to answer: papermill's 60 are too few on a machine with much other work."""
TERMINAL_COLORS = re.compile(r"\x1b\[[0-9;]*m")
SPARED = ("rfc3987_syntax", "boto3", "pyarrow")
"""What papermill would import for addresses and for notebooks in the cloud; a grammar alone takes over a second."""
PAPERMILL = f"import sys; sys.modules.update(dict.fromkeys({SPARED})); from papermill.cli import papermill; papermill()"
AT_A_TIME = 2
THREADS = str(max(1, (os.cpu_count() or 1) // AT_A_TIME))
"""Of each kernel: with as many as cores, two at a time would wait for each other."""


def parameter_names(path: Path) -> set[str]:
    """Return the names that the cell tagged `parameters` assigns; empty if there is no such cell."""
    return set(default_parameters(path))


def default_parameters(path: Path) -> dict[str, Any]:
    """Return what the cell tagged `parameters` assigns, by name; None for what is no plain value."""
    statements = [
        statement
        for cell in nbformat.read(path, as_version=4).cells
        if "parameters" in cell.metadata.get("tags", [])
        for statement in ast.parse(cell.source).body
    ]
    found: dict[str, Any] = {}
    for statement in statements:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name] = _plain(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=value):
                found[name] = _plain(value)
    return found


def _plain(value: ast.expr | None) -> Any:
    try:
        return None if value is None else ast.literal_eval(value)
    except ValueError:
        return None


def execute(notebooks: Mapping[Path, Parameters], folder: Path, atlas: Path | None = None) -> None:
    """Execute each notebook with its parameters and write it, outputs included, into `folder` under the same name.

    A kernel works in the folder of its notebook. After a failure no further notebook starts.

    Args:
        notebooks: with their parameters.
        folder: gets the executed ones.
        atlas: the folder of the book's own, if it has one.

    Raises:
        NbkitError: a notebook failed; says which, in which cell and with what. What it had done is kept in `folder`.
    """
    # a thread each, because the work is in the processes that they wait for
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        runs = [pool.submit(_execute_one, path, folder / path.name, given, atlas) for path, given in notebooks.items()]
        try:
            for run in tqdm(as_completed(runs), total=len(runs), desc="notebooks", unit="notebook"):
                run.result()
        except KeyboardInterrupt:
            end_guarded()  # which the threads wait for
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _execute_one(path: Path, target: Path, parameters: Parameters, atlas: Path | None) -> None:
    made = made_of(path, {**default_parameters(path), **parameters}, atlas)
    command = [
        sys.executable,
        "-c",
        PAPERMILL,
        str(path),
        str(target),
        "--no-progress-bar",
        f"--start-timeout={START_TIMEOUT}",
        "--cwd",
        str(path.parent),
    ]
    done = run_guarded(
        [*command, "-y", yaml.safe_dump(dict(parameters))], env={"OMP_NUM_THREADS": THREADS, **os.environ}
    )
    if done.returncode:
        last_words = done.stderr.strip().splitlines()[-1:] or ["papermill said nothing"]
        what = _error_in(target) or f": {last_words[0]}"
        raise NbkitError(f"{path.name} failed{what} (what it had done is in {target})")
    _make_presentable(target, parameters, made)


def _error_in(path: Path) -> str | None:
    """Return the place and the text of the error that stopped an executed notebook; None if no cell raised one."""
    if not path.is_file():
        return None
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                message = TERMINAL_COLORS.sub("", f"{output.ename}: {output.evalue}")
                return f" in cell [{cell.execution_count}] with {message}"
    return None


def _make_presentable(path: Path, parameters: Parameters, made: str) -> None:
    """Take the paths of this machine out of an executed notebook, which the book publishes, and fold its code away.

    The cell that papermill injected joins the notebook's own parameters cell: one cell then says with which values the
    page was made, and defaults that were not used don't stand alone. Of a folder or file on this machine it names the
    last part. What the notebook was made of stands in its metadata, for the next build (`unchanged`).
    """
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.pop("papermill", None)
    notebook.metadata[NAME] = made
    tagged = {tag: cell for cell in notebook.cells for tag in cell.metadata.get("tags", [])}
    injected, own = tagged.get("injected-parameters"), tagged.get("parameters")
    if own is not None and injected is not None:
        source = PythonTranslator.codify(_without_places(dict(parameters)), "set by the profile")
        own.source += "\n\n" + source.rstrip()
        notebook.cells.remove(injected)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and "remove-input" not in tags:
            cell.metadata.tags = [*tags, "hide-input"]
            label = _label(cell.source, tags)
            prompts = {"code_prompt_show": label, "code_prompt_hide": label}
            cell.metadata["mystnb"] = {**cell.metadata.get("mystnb", {}), **prompts}
    nbformat.write(notebook, path)


def _label(source: str, tags: list[str]) -> str:
    """What a folded cell is called on its page."""
    if "parameters" in tags:
        return "Parameters"
    try:
        statements = ast.parse(source).body
    except SyntaxError:  # a magic
        return "Code"
    return "Imports" if all(isinstance(each, ast.Import | ast.ImportFrom) for each in statements) else "Code"


def _without_places(value: Any) -> Any:
    """A parameter's value with the names of files and folders of this machine in place of their paths."""
    match value:
        case str() if Path(value).expanduser().is_absolute():
            return Path(value).name
        case dict():
            return {name: _without_places(each) for name, each in value.items()}
        case list() | tuple():
            return [_without_places(each) for each in value]
    return value
