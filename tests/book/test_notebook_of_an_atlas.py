"""A notebook about an atlas that the command line made, run as the README says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat

from tests.examples.mini_book import REPOSITORY


def test_a_notebook_opens_the_atlas_that_the_command_line_made(
    tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "foxes.csv").write_text("body\n" + '"The quick brown fox jumps, and again. "\n' * 40)
    environment = os.environ | {"NBKIT_CACHE": str(tmp_path / "cache"), "NBKIT_OFFLINE": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])

    def run(*command: object) -> None:
        done = subprocess.run(
            [sys.executable, *map(str, command)], env=environment, cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    main = ("-c", "from nbkit.cli import main; main()", "atlas", "--out", "my-atlas", "--model", tiny_folder("llama"))
    run(*main, "--corpus", "foxes.csv", "--field", "body", "--length", 16, "--limit", 30, "--dtype", "float32")
    book, atlas = REPOSITORY / "book", tmp_path / "my-atlas"
    papermill = ("-m", "papermill", "--no-progress-bar", "--cwd", book, book / "every-neuron.ipynb", "mine.ipynb")
    run(*papermill, "-p", "atlas", atlas)
    outputs = [
        output
        for cell in nbformat.read(tmp_path / "mine.ipynb", as_version=4).cells
        for output in cell.get("outputs", [])
    ]
    made, explorer = (output.data for output in outputs if output.output_type == "execute_result")
    for told in ("llama", "foxes.csv", "float32 on cpu"):
        assert f"<dd>{told}</dd>" in made["text/html"]
    assert "<dt>contexts</dt><dd>30 of 16 tokens" in made["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in explorer
    assert not (tmp_path / "cache").exists(), "nothing was built for the model and corpus that the notebook names"
