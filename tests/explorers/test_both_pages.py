"""An atlas of neurons and of latents beside them, in a real browser: each unit is called what it is, and found from
another page of a book."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from nbkit.atlas.atlas import Atlas
from nbkit.book.neuron_links import write_neuron_links
from nbkit.explorers.atlas.shard_files import site_folder
from tests.browser import page_checks as checks
from tests.examples.explorer_page import write_page

TEXT = "L1 N3, Layer 2, neuron 39, S3 #19 and S4\u00a0#2; not L3 N1, L1 #3, S1 #3, L1 N40, S4 #9,"
TEXT += " S3 (another.hook), latent 3."
LINKED = {
    "L1 N3": ("#L1N3", "Layer 1, neuron 3"),
    "Layer 2, neuron 39": ("#L2N39", "Layer 2, neuron 39"),
    "S3 #19": ("#L3N19", "S3 (blocks.1.hook_resid_post), latent 19"),
    "S4\u00a0#2": ("#L4N2", "S4 (blocks.0.mlp.hook_in), latent 2"),
}


@pytest.fixture(scope="module")
def html(both_atlas: Atlas, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The explorer's page, and another one that names units."""
    folder, notebooks = tmp_path_factory.mktemp("html"), tmp_path_factory.mktemp("notebooks")
    write_page(both_atlas, folder)
    (notebooks / "another.ipynb").write_text('"_static/atlases/another/"', encoding="utf-8")
    (notebooks / "page.ipynb").write_text(f'"{site_folder(both_atlas)}/"', encoding="utf-8")
    write_neuron_links(folder, notebooks, both_atlas)
    page = (
        f'<!doctype html><meta charset="utf-8"><script src="neuron-links.js"></script><article><p>{TEXT}</p></article>'
    )
    (folder / "other.html").write_text(page, encoding="utf-8")
    return folder


def test_both_kinds_are_linked_from_a_page_and_shown_there(browser: Browser, html: Path) -> None:
    with checks.reached(html, "file") as base, checks.visit(browser, base, "other.html") as seen:
        links = seen.page.locator("a.nbkit-neuron")
        expect(links).to_have_text(list(LINKED))
        card = seen.page.locator("#nbkit-neuron-card")
        for link, (end, title) in zip(links.all(), LINKED.values(), strict=True):
            expect(link).to_have_attribute("href", f"page.html{end}")
            link.focus()
            expect(card.locator(".nk-title")).to_contain_text(title)
            named = card.inner_text()
        links.last.click()
        expect(seen.page.locator(".nk-neuron .nk-title")).to_have_text(LINKED["S4\u00a0#2"][1])
        words = seen.page.locator(".nk-card .nk-word").all_inner_texts()
        assert any(word in named for word in words)
        checks.check_needs_no_network(seen)


def test_each_unit_is_called_what_it_is(browser: Browser, html: Path) -> None:
    with checks.reached(html, "file") as base, checks.visit(browser, base, "page.html") as seen:
        view = seen.page.locator(checks.ATLAS)
        expect(view.locator(".nk-neuron .nk-title")).to_have_text(re.compile(r"^Layer 1, neuron \d+$"))
        expect(view.get_by_text("One to begin with. Chosen by")).to_contain_text("neurons")
        expect(view.locator(".nk-choice .nk-status")).to_contain_text(" of 149 units; ")
        rows = view.get_by_role("listbox", name="Units").get_by_role("option")
        expect(rows.first).to_contain_text(re.compile(r"^(L[012] N|S[34] #)\d+"))
        for text, title in (("S4 #8", "S4 (blocks.0.mlp.hook_in), latent 8"), ("0 39", "Layer 0, neuron 39")):
            view.get_by_role("searchbox").fill(text)
            view.get_by_role("searchbox").press("Enter")
            expect(view.locator(".nk-neuron .nk-title")).to_have_text(title)
        similar = view.locator(".nk-similar").first
        similar.locator("summary").click()
        expect(similar.locator("[aria-live] > div .nk-part")).to_have_text(["at the same site", "at other sites"])
        checks.check_needs_no_network(seen)
