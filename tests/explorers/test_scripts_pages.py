"""Text of every script in the atlas explorer, in a real browser: its own characters, found, and in their order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from nbkit.atlas.atlas import Atlas
from nbkit.features.phrases import phrases_of
from tests.browser import page_checks as checks
from tests.examples.explorer_page import write_page


@pytest.fixture(scope="module")
def site(scripts_atlas: Atlas, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(scripts_atlas, tmp_path_factory.mktemp("site") / "html")


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["wide", "narrow"])
def page(request: pytest.FixtureRequest, browser: Browser, site: Path) -> Iterator[Page]:
    width, scheme = request.param
    yield from opened(browser, site, width, scheme)


@pytest.fixture
def wide_page(browser: Browser, site: Path) -> Iterator[Page]:
    yield from opened(browser, site, 1280, "light")


def opened(browser: Browser, site: Path, width: int, scheme: Literal["light", "dark"]) -> Iterator[Page]:
    with checks.served(site) as base, checks.visit(browser, base, "page.html", width=width, scheme=scheme) as seen:
        expect(seen.page.locator(".nk-row").first).to_be_visible()
        yield seen.page
        assert not [error for error in seen.errors if "favicon" not in error and "404" not in error], seen.errors


def ask(page: Page, text: str) -> None:
    if not page.get_by_role("searchbox").count():  # a narrow page shows the neuron alone
        page.get_by_role("button", name="‹ List").click()
    page.get_by_role("searchbox").fill(text)
    page.get_by_role("searchbox").press("Enter")


def find(page: Page, text: str) -> Locator:
    """Search and open the first feature that is found; gives its card with all its examples."""
    ask(page, text)
    row = page.get_by_role("listbox", name="Neurons").get_by_role("option").filter(has_text="cluster").first
    expect(row).to_be_visible()
    layer, index, cluster = re.findall(r"\d+", row.locator(".nk-row-name").inner_text())
    row.click()
    expect(page.locator(".nk-neuron .nk-title")).to_have_text(f"Layer {layer}, neuron {index}")
    card = page.locator(".nk-card").nth(int(cluster) - 1)
    expect(card.locator(".nk-head")).to_have_attribute("aria-pressed", "true")
    if (more := card.get_by_role("button", name="Show all")).count():
        more.click()
    return card


def unfolded(page: Page, layer: int, index: int) -> Locator:
    """Open a neuron; gives all its examples."""
    ask(page, f"L{layer} N{index}")
    expect(page.locator(".nk-neuron .nk-title")).to_have_text(f"Layer {layer}, neuron {index}")
    while (more := page.locator(".nk-card .nk-more", has_text="Show all")).count():
        more.first.click()
    return page.locator(".nk-card .nk-snippet")


FOUND = {
    "東京": "東京",
    "北京": "北京",
    "مدينة": "مدينة",
    "हिन्दी": "हिन्दी",
    "москва": "МОСКВА|Москва",
    "café": "cafe\u0301",
    "コンピューター": "コンピュ|ピュータ|ューター",
    "👩\u200d💻": "👩\u200d💻",
}


def test_words_are_found_and_shown_in_their_own_characters(page: Page) -> None:
    for typed, shown in FOUND.items():
        texts = find(page, typed).locator(".nk-snippet").all_text_contents()
        assert [text for text in texts if re.search(shown, text)], texts
        assert all(text.count("\ufffd") <= 1 for text in texts)  # the one that the text itself holds
        checks.check_fits_the_width(page)


def test_every_snippet_reads_as_python_has_it(wide_page: Page, scripts_atlas: Atlas) -> None:
    for layer, index in ((0, 0), (1, 3)):
        shown = unfolded(wide_page, layer, index)
        texts = shown.all_text_contents()
        keys = shown.evaluate_all("rows => rows.map((row) => row.querySelector('.nk-key').textContent)")
        neuron = scripts_atlas.neuron(layer, index)
        assert sorted(texts) == sorted("".join(snippet.tokens) for snippet in neuron.snippets)
        assert sorted(keys) == sorted(snippet.key_token for snippet in neuron.snippets)


def test_what_is_read_from_the_right_stands_from_the_right(wide_page: Page, scripts_atlas: Atlas) -> None:
    table = scripts_atlas.neurons
    most = table.loc[int(table["n_examples"].to_numpy().argmax())]
    rows = unfolded(wide_page, int(most["layer"]), int(most["index"]))
    directions = rows.evaluate_all("all => all.map((e) => [getComputedStyle(e).direction, e.textContent])")
    for direction, text in directions:
        letters = len(re.findall(r"[\u0590-\u06ff]", text)), len(re.findall(r"[^\W\d_\u0590-\u06ff]", text))
        assert direction == ("rtl" if letters[0] > letters[1] else "ltr"), text
    assert {direction for direction, _ in directions} == {"rtl", "ltr"}
    order = rows.evaluate_all(
        """all => all.filter((e) => getComputedStyle(e).direction === 'rtl').map((row) => [...row.children]
            .filter((e) => /^[ء-ي]+$/.test(e.textContent)).map((e) => e.getBoundingClientRect())
            .filter((box, i, boxes) => Math.abs(box.top - boxes[0].top) < 4).map((box) => box.left))"""
    )
    assert any(len(lefts) > 2 for lefts in order)
    assert all(lefts == sorted(lefts, reverse=True) for lefts in order)


def test_a_byte_alone_is_marked_and_stacked_marks_keep_to_their_box(wide_page: Page, scripts_atlas: Atlas) -> None:
    card = wide_page.locator(".nk-dendrogram")
    while (more := card.locator(".nk-more", has_text="Show")).filter(has_not_text="fewer").count():
        more.filter(has_not_text="fewer").first.click()
    sign = card.locator('.nk-sign[title^="byte "]').first
    assert re.fullmatch(r"⟨[89A-F][0-9A-F]⟩", sign.inner_text())
    assert sign.get_attribute("title") == f"byte {sign.inner_text()[1:-1]}, a part of a character"
    assert sign.evaluate("e => getComputedStyle(e).unicodeBidi") == "isolate"

    index = phrases_of(scripts_atlas, progress=False)
    stacks = [phrase for phrase in index["phrase"] if re.search(r"[\u0300-\u036f]{3}", phrase)]
    stack = find(wide_page, stacks[0]).locator(".nk-stack").first
    assert stack.evaluate("e => [getComputedStyle(e).overflow, getComputedStyle(e).display]") == [
        "clip",
        "inline-block",
    ]
    row, box = stack.locator("xpath=..").bounding_box(), stack.bounding_box()
    assert row and box and row["y"] <= box["y"] + 1 and box["y"] + box["height"] <= row["y"] + row["height"] + 1


def test_it_is_accessible(wide_page: Page, axe: Path) -> None:
    find(wide_page, "東京")
    checks.check_accessible(wide_page, axe)
