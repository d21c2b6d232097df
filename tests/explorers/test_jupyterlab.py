"""Explorers in a real JupyterLab: drawn, moved by hand, and what they show known to Python."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser, expect

from nbkit.atlas.atlas import Atlas
from tests.browser.page_checks import ATLAS, DENDROGRAM, LATENTS
from tests.examples.latents import HOSTILE_NAME
from tests.examples.mini_book import REPOSITORY, write_notebook

TOKEN = "for-the-test"
PATIENCE = 90_000  # ms; half a minute is what all of it takes on a busy machine
SHOW = """
import nbkit
from nbkit import figures
from nbkit.explorers import DendrogramExplorer
from tests.examples.latents import example_models
from tests.examples.neuron import example_neuron
explorer, latents = DendrogramExplorer(example_neuron(30)), example_models().explorer()
atlas = nbkit.explore(nbkit.open_atlas({atlas!r}), nbkit.load_model({model!r}, dtype="float32"), layer=1, neuron=3)
display(explorer, latents, atlas, figures.cluster_dendrogram(example_neuron(30)))
""".strip()
READ = "f'Python reads {explorer.threshold}, {latents.view}, {latents.unit}, {atlas.layer}, {atlas.neuron}'"
SET = "latents.unit, atlas.neuron = 7, 5"


@pytest.fixture
def lab(tmp_path: Path, tiny_atlas: Callable[[str], Atlas], tiny_folder: Callable[[str], Path]) -> Iterator[str]:
    """The address of a JupyterLab over a folder with one notebook."""
    show = SHOW.format(atlas=str(tiny_atlas("llama").path), model=str(tiny_folder("llama")))
    write_notebook(tmp_path / "notes.ipynb", [("code", source, []) for source in (show, READ, SET)])
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

    view, latents, atlas = page.locator(DENDROGRAM).first, page.locator(LATENTS), page.locator(ATLAS)
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

    title = atlas.locator(".nk-neuron .nk-title")
    expect(title).to_have_text("Layer 1, neuron 5")  # set from Python
    atlas.get_by_role("searchbox").fill("L2 N7")
    atlas.get_by_role("searchbox").press("Enter")
    expect(title).to_have_text("Layer 2, neuron 7")
    atlas.get_by_role("slider", name="Distance at which the tree is cut").press("PageDown")
    atlas.get_by_label("Color tokens by").select_option("importance")
    rows = atlas.locator(".nk-card .nk-snippet")
    expect(rows.first.locator(".nk-token[title^=importance]").first).to_be_attached()
    weighed = rows.filter(has=page.locator(".nk-token[title^=importance]"))
    expect(weighed).to_have_count(rows.count())  # computed by the kernel for all of them
    atlas.locator(".nk-similar summary").first.click()
    expect(atlas.locator(".nk-similar .nk-link").first).to_be_visible()

    own = atlas.get_by_role("region", name="Your own text")
    own.get_by_role("textbox").fill("a river bank")
    expect(own.locator(".nk-read")).to_have_count(len("a river bank") + 1)  # the kernel has read it, <s> before it
    expect(own.get_by_role("status")).to_contain_text("Strongest on")
    nearest = own.locator(".nk-link").first
    expect(own.get_by_role("status")).to_contain_text(f"Nearest is {nearest.inner_text()}, at mean distance")
    atlas.get_by_role("slider").press("End")
    n_clusters = atlas.locator(".nk-dendrogram .nk-status").inner_text().split(" at ")[0]
    expect(own).to_contain_text(f"Mean distance to the nearest of {n_clusters}")  # of the present cut
    atlas.get_by_role("slider").press("Home")
    expect(own.get_by_role("status")).to_contain_text("it would stand alone")

    with page.expect_download() as download:
        page.get_by_role("link", name="tree (CSV)").click()
    assert download.value.suggested_filename == "cluster-dendrogram-tree.csv"
    assert len(pd.read_csv(download.value.path())) == 29, "the branches of thirty examples"

    cells = page.locator(".jp-CodeCell .cm-content")
    cells.filter(has_text="Python reads").click()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Python reads 0.61, 1, 2, 2, 7")).to_be_visible(timeout=PATIENCE)
    cells.filter(has_text="latents.unit, atlas.neuron").click()
    page.keyboard.press("Control+Enter")
    expect(number).to_have_value("7", timeout=PATIENCE)
    expect(title).to_have_text("Layer 2, neuron 5")
    context.close()
