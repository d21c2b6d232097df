"""Explorers on pages that are no book: imported as ES modules, and as MyST's `{anywidget}` mounts them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from nbkit.atlas.atlas import Atlas
from nbkit.explorers import AtlasExplorer
from nbkit.explorers.mount import mount_point, state_of, write_explorers
from tests.browser import page_checks as checks
from tests.examples.explorer_page import write_page
from tests.examples.latents import example_models

PLAIN = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>A page</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="../NAME.css">
<main><div id="here"></div></main>
<script type="module">
import { mount } from "../NAME.mjs";
window.shown = await mount(document.getElementById("here"), STATE);
</script>
"""
MYST = """<!doctype html>
<html lang="en" style="--nbkit-color-scheme: dark"><meta charset="utf-8"><title>A page</title>
<link rel="icon" href="data:,">
<main><div id="here"></div></main>
<script type="module">
const state = STATE;
const model = { get: (name) => state[name], set() {}, on() {} };
const { default: widget } = await import("../NAME.mjs");
const root = document.getElementById("here").attachShadow({ mode: "open" });
const el = root.appendChild(document.createElement("div"));
root.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: "../NAME.css" }));
window.remove = await widget.render({ model, el });
</script>
"""
Page = Callable[[str, str, dict[str, Any]], str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_atlas: Callable[[str], Atlas]) -> Path:
    """What a page loads, and the files of an atlas."""
    folder = write_page(tiny_atlas("llama"), tmp_path_factory.mktemp("explorers"))
    write_explorers(folder)
    (folder / "pages").mkdir()
    return folder


def write(folder: Path, page: str, name: str, state: dict[str, Any]) -> str:
    (folder / "pages/page.html").write_text(page.replace("NAME", name).replace("STATE", json.dumps(state)), "utf-8")
    return "pages/page.html"


def atlas_state(atlas: Atlas) -> dict[str, Any]:
    return {"site": f"../{state_of(AtlasExplorer(atlas))['site']}"}


def test_a_page_imports_an_explorer_follows_and_sets_it(
    browser: Browser, folder: Path, tiny_atlas: Callable[[str], Atlas]
) -> None:
    name = write(folder, PLAIN, "AtlasExplorer", atlas_state(tiny_atlas("llama")))
    with checks.served(folder) as base, checks.visit(browser, base, name) as seen:
        title = seen.page.locator(".nk-neuron .nk-title")
        expect(title).to_be_visible()
        seen.page.evaluate("shown.model.on('change:neuron', () => { window.heard = shown.model.get('neuron'); })")
        seen.page.evaluate("shown.model.set('layer', 1), shown.model.set('neuron', 5)")
        expect(title).to_have_text("Layer 1, neuron 5")
        assert seen.page.evaluate("heard") == 5
        seen.page.evaluate("shown.remove()")
        assert seen.page.locator("#here *").count() == 0
        checks.check_needs_no_network(seen)


def test_what_is_large_comes_from_a_file(browser: Browser, folder: Path) -> None:
    html = mount_point("LatentExplorer", state_of(example_models().explorer(view=1, unit=7)), folder, "../")
    state = json.loads(html.split('json">')[1].split("</script>")[0])
    name = write(folder, PLAIN, "LatentExplorer", state)
    with checks.served(folder) as base, checks.visit(browser, base, name) as seen:
        expect(seen.page.get_by_role("spinbutton", name="Latent")).to_have_value("7")
        checks.check_needs_no_network(seen)


def test_a_missing_file_is_a_sentence(browser: Browser, folder: Path) -> None:
    name = write(folder, PLAIN, "LatentExplorer", {"file": "../nowhere.js"})
    with checks.served(folder) as base, checks.visit(browser, base, name) as seen:
        expect(seen.page.get_by_role("alert")).to_have_text("The explorer cannot be shown: its file is missing.")


def test_myst_mounts_an_explorer_in_a_shadow_root(
    browser: Browser, folder: Path, tiny_atlas: Callable[[str], Atlas]
) -> None:
    state = atlas_state(tiny_atlas("llama")) | {"layer": 1, "neuron": 3, "threshold": 0.4}
    name = write(folder, MYST, "AtlasExplorer", state)
    with checks.served(folder) as base, checks.visit(browser, base, name) as seen:
        view = seen.page.locator(checks.ATLAS)
        expect(view.locator(".nk-neuron .nk-title")).to_have_text("Layer 1, neuron 3")
        slider = view.locator(".nk-open").get_by_role("slider")
        expect(slider).to_have_attribute("aria-valuenow", "0.4")
        slider.press("PageUp")
        expect(slider).to_have_attribute("aria-valuenow", "0.5")
        expect(slider).to_be_focused()  # after the tree was drawn again
        view.get_by_role("searchbox").fill("L2 N7")
        view.get_by_role("searchbox").press("Enter")
        expect(view.locator(".nk-neuron .nk-title")).to_have_text("Layer 2, neuron 7")
        assert view.evaluate("e => getComputedStyle(e).colorScheme") == "dark"
        assert view.evaluate("e => getComputedStyle(e).containerType") == "inline-size"  # it has its style
        seen.page.evaluate("remove()")
        expect(view).to_have_count(0)
        checks.check_needs_no_network(seen)
