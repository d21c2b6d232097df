"""Explorers in a real JupyterLab: drawn, moved by hand, and what they show known to Python."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.example_latents import HOSTILE_NAME
from tests.mini_book import REPOSITORY, write_notebook
from tests.page_checks import DENDROGRAM, LATENTS

TOKEN = "for-the-test"
PATIENCE = 90_000  # ms; half a minute is what all of it takes on a busy machine
SHOW = (
    "from nbkit.explorers import DendrogramExplorer\n"
    "from tests.example_latents import example_models\n"
    "from tests.example_neuron import example_neuron\n"
    "explorer, latents = DendrogramExplorer(example_neuron(30)), example_models().explorer()\n"
    "display(explorer, latents)"
)
READ = "f'Python reads {explorer.threshold}, {latents.view}, {latents.unit}'"
SET = "latents.unit = 7"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """The address of a JupyterLab over a folder with one notebook."""
    write_notebook(tmp_path / "notes.ipynb", [("code", source, []) for source in (SHOW, READ, SET)])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    state = tmp_path / "state"
    env = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "JUPYTER_CONFIG_DIR": str(state / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(state / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(state / "workspaces"),
    }
    options = [
        *("--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
        *(f"--ServerApp.root_dir={tmp_path}", f"--IdentityProvider.token={TOKEN}"),
        *("--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"),
    ]
    with (tmp_path / "lab.log").open("wb") as log:
        server = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], env=env, stdout=log, stderr=log)
        try:
            _wait_for(f"http://127.0.0.1:{port}/api", server)
            yield f"http://127.0.0.1:{port}/lab/tree/notes.ipynb?token={TOKEN}"
        finally:
            server.terminate()
            server.wait(30)


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE / 1000
    while True:
        assert server.poll() is None, "JupyterLab stopped"
        assert time.monotonic() < deadline, "JupyterLab does not answer"
        try:
            urllib.request.urlopen(address).close()
        except OSError:
            time.sleep(0.2)
        else:
            return


def test_the_explorers_work_in_jupyterlab(browser: Browser, lab: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(lab)
    expect(page.locator("#jp-main-statusbar")).to_contain_text("Idle", timeout=PATIENCE)  # the kernel is ready
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()

    view, latents = page.locator(DENDROGRAM), page.locator(LATENTS)
    slider = view.get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuenow", "0.5", timeout=PATIENCE)
    before = view.get_by_role("status").inner_text()
    slider.press("PageUp")
    slider.press("ArrowUp")
    expect(slider).to_have_attribute("aria-valuenow", "0.61")
    assert view.get_by_role("status").inner_text() != before

    expect(latents.get_by_role("spinbutton", name="Neuron")).to_have_value("7")  # the last cell has run
    latents.get_by_label("Model").select_option(HOSTILE_NAME)
    latents.get_by_role("button", name="Next").click()
    number = latents.get_by_role("spinbutton", name="Latent")
    expect(number).to_have_value("2")  # after latent 1, the first that has something to show

    cells = page.locator(".jp-CodeCell .cm-content")
    cells.filter(has_text="Python reads").click()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Python reads 0.61, 1, 2")).to_be_visible(timeout=PATIENCE)
    cells.filter(has_text="latents.unit = 7").click()
    page.keyboard.press("Control+Enter")
    expect(number).to_have_value("7", timeout=PATIENCE)
    context.close()
