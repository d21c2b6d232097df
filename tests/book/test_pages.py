"""Built pages in a real browser: no network, live widgets, typeset maths, harmless text, readable everywhere."""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

import nbkit
from nbkit.atlas.snippets import display_token
from nbkit.book.build import build
from nbkit.book.notebooks import parameter_names
from nbkit.explorers.mount import EXPLORERS
from nbkit.studies.shared.paper import STANDARD, WITH_LOSS
from tests.book.quantities import disagreements, on_several_pages, quantities_of
from tests.browser import page_checks as checks
from tests.browser.page_checks import Scheme
from tests.browser.published_text import places_in
from tests.examples.mini_book import REPOSITORY
from tests.examples.neuron import HOSTILE

BOOKS = ("mini_book", "quick_book")  # fixtures that build a book and return the folder of its pages
SCREENSHOTS = REPOSITORY / "_build/screenshots"
"""Of every page, light and dark, and of every kind of explorer also narrow and wide."""


@pytest.fixture(scope="session")
def quick_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of the real book, executed at the profile for tests."""
    return build("quick", out=tmp_path_factory.mktemp("quick") / "_build", root=REPOSITORY)


@pytest.fixture(scope="session", params=BOOKS)
def html(request: pytest.FixtureRequest) -> Path:
    """The pages of each book in turn."""
    pages: Path = request.getfixturevalue(request.param)
    return pages


@pytest.fixture(scope="session", params=["http", "file"])
def base(request: pytest.FixtureRequest, html: Path) -> Iterator[str]:
    """The book's address, over http and as files."""
    with checks.reached(html, request.param) as address:
        yield address


@pytest.fixture(scope="session")
def explorer_page(html: Path) -> str:
    """A page of the book with a dendrogram explorer."""
    name = checks.page_with(html, "DendrogramExplorer")
    assert name
    return name


def test_pages_need_no_network_typeset_their_maths_and_describe_their_pictures(
    browser: Browser, base: str, html: Path
) -> None:
    names = checks.page_names(html)
    assert {"index.html", "references.html"} <= set(names)
    for name in names:
        with checks.visit(browser, base, name) as seen:
            checks.check_explorers_are_drawn(seen.page, len(checks.explorers_of(html, name)))
            checks.check_maths_is_typeset(seen.page)
            checks.check_pictures_are_described(seen.page)
            checks.check_needs_no_network(seen)
            if not checks.has_widget_manager(html, name):
                checks.check_is_light(seen, name)


def test_other_widgets_have_their_manager(browser: Browser, mini_book: Path) -> None:
    pages = [name for name in checks.page_names(mini_book) if checks.has_widget_manager(mini_book, name)]
    assert pages == ["widgets.html"]
    with checks.visit(browser, mini_book.as_uri() + "/", *pages) as seen:
        seen.page.get_by_role("slider").press("ArrowRight")
        expect(seen.page.locator(".widget-label").last).to_have_text("4")
        checks.check_needs_no_network(seen)


def test_the_book_has_figures(quick_book: Path) -> None:
    sources = [(quick_book / name).read_text(encoding="utf-8") for name in checks.page_names(quick_book)]
    pictures = sum(len(re.findall(r'<img [^>]*src="(?:\./)?_images/', source)) for source in sources)
    assert pictures >= 8, f"only {pictures} figures in the whole book"


def test_every_figure_and_table_has_its_data_and_every_page_its_citation(quick_book: Path) -> None:
    n_links = 0
    for name in checks.page_names(quick_book):
        source = (quick_book / name).read_text(encoding="utf-8")
        shown = len(re.findall(r'<div class="nbkit-(?:figure|table)">', source))
        assert source.count('<p class="nbkit-data">') == shown, name
        links = re.findall(r'<a download="([^"]+)" href="([^"]+)">[^<]+ \(CSV\)</a>', source)
        assert len(dict(links)) == len(links), "no two files of one name"
        for _, address in links:
            assert not pd.read_csv(quick_book / address).dropna(how="all").empty, address
        n_links += len(links)
        assert "base64" not in source, "what an output carries lies beside the page"
        assert source.count('<details class="nbkit-cite">') == 1
        if (REPOSITORY / "book" / name).with_suffix(".ipynb").is_file():
            assert "profile quick, built 20" in source
    assert n_links > 40


def test_every_page_names_what_made_it(quick_book: Path) -> None:
    def versions(*names: str) -> list[str]:
        return [f"{name} {importlib.metadata.version(name)}" for name in names]

    language = {
        "model": "smollm2-135m",
        "checkpoint": "SmolLM2-135M-Instruct, de-quantized from 4-bit Q4_1",
        "corpus": "brown",
        "contexts": "384 of 128 tokens; the tokenizer adds no special tokens",
        "seed": "0",
    }
    for path in (REPOSITORY / "book").glob("*.ipynb"):
        source = (quick_book / f"{path.stem}.html").read_text(encoding="utf-8")
        [badge] = re.findall(r'<details class="nbkit-provenance">.*?</details>', source, flags=re.DOTALL)
        rows = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", badge))
        assert "Made by profile quick: " in badge and rows["profile"] == "quick"
        libraries = ["torch", "transformers"] if "model" in parameter_names(path) else ["torch", "numpy", "scipy"]
        assert set(versions(*libraries)) <= set(rows["versions"].split(", ")), path.stem
        checksums = [value for name, value in rows.items() if name.startswith("sha256")]
        assert checksums and all(re.fullmatch("[0-9a-f]{64}", value) for value in checksums)
        if "model" in parameter_names(path):
            assert language.items() <= rows.items(), path.stem
            assert rows["precision"].split(" on ")[0] in ("float32", "bfloat16")


def test_the_start_page_shows_all_that_is_new_on_its_first_screen(browser: Browser, quick_book: Path) -> None:
    shown = [".bd-article h1", "h1 + p", ".nbkit-buttons a >> nth=0", ".nbkit-buttons a >> nth=1", ".nk-live svg"]
    findings = [f".tag_findings li >> nth={place}" for place in range(3)]
    for width, height, parts in ((1440, 900, [*shown, *findings]), (390, 844, shown)):
        with checks.visit(browser, quick_book.as_uri() + "/", "index.html", width=width) as seen:
            expect(seen.page.locator(".nk-live svg").first).to_be_visible()
            places = {part: seen.page.locator(part).first.bounding_box() for part in parts}
            low = {part: box and round(box["y"] + box["height"]) for part, box in places.items()}
            assert not {part: end for part, end in low.items() if end is None or end > height}, (width, low)
            buttons = seen.page.locator(".nbkit-buttons a").evaluate_all("all => all.map((a) => a.pathname)")
            assert [path.rsplit("/", 1)[1] for path in buttons] == ["every-neuron.html", "neuron-embeddings.html"]
            assert seen.page.locator(".tag_findings li").count() == 3


def test_every_page_begins_with_what_it_shows_and_is_accessible(browser: Browser, quick_book: Path, axe: Path) -> None:
    for name in checks.page_names(quick_book):
        with checks.visit(browser, quick_book.as_uri() + "/", name, width=1440) as seen:
            if name == "index.html":  # while it moves, text comes and goes
                expect(seen.page.get_by_role("button", name="Play again")).to_be_visible()
            for scheme in get_args(Scheme):
                checks.check_accessible_in(seen.page, axe, scheme, "html")
                checks.check_figures_are_of(seen.page, scheme)
                keep_picture(seen.page, quick_book, name, 1440, scheme)
            assert seen.page.locator(".cell_input:not(details:not([open]) *)").count() == 0, "code is folded"
            assert seen.page.locator(".bd-article h1").count() == 1
            # the first output behind the badge, which ends what is folded
            result = ".cell:has(.nbkit-provenance) ~ .cell:has(> .cell_output), .cell:has(.nbkit-provenance) ~ figure"
            if (first := seen.page.locator(result)).count():
                box = first.first.bounding_box()
                assert box and box["y"] < 450, (name, box)


def test_a_quantity_has_one_value_on_all_pages(quick_book: Path) -> None:
    found = quantities_of((quick_book.parent / "book").glob("*.ipynb"))
    assert disagreements(found) == {}
    expected = {"neurons scanned", "neurons with enough examples", "share with several clusters"}
    expected |= {"share whose common behavior hides a rare one", "n_clusters, gradient, median"}
    expected |= {
        f"{metric}, {kind}, mean"
        for metric in ("intra_cluster", "inter_cluster")
        for kind in ("pre_mlp", "gradient", "shuffled")
    }
    expected |= {f"silhouette_matched: neuron embedding minus {other}" for other in ("pre_mlp", "shuffled")}
    expected |= {f"{figure}, {row} row of Tables 2 and 3" for figure in ("L0", "dead") for row in (STANDARD, WITH_LOSS)}
    expected |= {f"factor, {row} row of Tables 2 and 3" for row in (STANDARD, WITH_LOSS)}
    expected |= {
        f"comparisons at equal {by}, {gradient} gradient" for by in ("L0", "MSE") for gradient in ("whole", "opposite")
    }
    expected |= {f"dead {loss} the loss, page on dead latents" for loss in ("with", "without")}
    assert expected <= on_several_pages(found)


def test_a_book_names_no_place_of_the_machine_that_built_it(html: Path) -> None:
    assert places_in(html, html.parents[1]) == set()


def test_search_works(browser: Browser, base: str) -> None:
    checks.check_search_finds(browser, base, "references")


def test_the_handle_changes_the_groups(browser: Browser, base: str, explorer_page: str) -> None:
    with checks.visit(browser, base, explorer_page) as seen:
        view = checks.explorer(seen.page)
        checks.check_handle_moves_by_mouse(seen.page, view)
        checks.check_handle_moves_by_keyboard(view)
        checks.check_needs_no_network(seen)


def test_explorers_fit_any_width_and_are_accessible_on_a_phone(browser: Browser, html: Path, axe: Path) -> None:
    for name in sorted(filter(None, {checks.page_with(html, kind) for kind in EXPLORERS})):
        with checks.visit(browser, html.as_uri() + "/", name, width=360) as seen:
            checks.check_explorers_are_drawn(seen.page, len(checks.explorers_of(html, name)))
            checks.check_fits_the_width(seen.page)
            for scheme in get_args(Scheme):
                checks.check_accessible_in(seen.page, axe, scheme)
                schemes = seen.page.locator(checks.EXPLORER).evaluate_all(
                    "all => all.map((e) => getComputedStyle(e).colorScheme)"
                )
                assert set(schemes) == {scheme}
                keep_picture(seen.page, html, name, 360, scheme)
            for width in (1280, 2560):
                checks.widen(seen.page, width)
                checks.check_fits_the_width(seen.page)
                keep_picture(seen.page, html, name, width, scheme)


def keep_picture(page: Page, html: Path, name: str, width: int, scheme: str) -> None:
    """For a person to look at after the tests."""
    path = SCREENSHOTS / f"{html.parents[1].name}-{name.removesuffix('.html')}-{width}-{scheme}.png"
    page.screenshot(path=path, full_page=True, style="* { content-visibility: visible !important }")


def test_hostile_text_shows_as_text(browser: Browser, mini_book: Path) -> None:
    with checks.visit(browser, mini_book.as_uri() + "/", "explorer.html") as seen:
        view = checks.explorer(seen.page)
        view.get_by_role("slider").press("End")
        folded = view.get_by_role("button", name="Show all")
        while folded.count():
            folded.first.click()
        text = view.locator(".nk-cards").inner_text()
        for token in HOSTILE:
            assert display_token(token) in text
        assert view.locator("script, img, iframe").count() == 0
        assert seen.page.evaluate("window.hacked === undefined")
        assert not re.search(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069]", text)  # shown, and turning nothing
        directions = set(view.locator(".nk-snippet").evaluate_all("all => all.map((e) => e.dir)"))
        assert directions and directions <= {"ltr", "rtl"}
        checks.check_fits_the_width(seen.page)
        checks.check_needs_no_network(seen)


def test_a_leaf_and_its_example_point_at_each_other(browser: Browser, mini_book: Path) -> None:
    with checks.visit(browser, mini_book.as_uri() + "/", "explorer.html") as seen:
        view = checks.explorer(seen.page)
        leaves, peek = view.get_by_role("listbox").first.get_by_role("option"), view.locator(".nk-peek")
        row = view.locator("li").nth(1)
        row.hover()
        expect(peek.locator(".nk-snippet")).to_have_text(row.inner_text())
        expect(view.locator("rect[aria-selected=true]")).to_have_count(1)
        row.focus()
        row.press("ArrowLeft")
        expect(peek.locator(".nk-about")).to_contain_text("token “")

        seen.page.mouse.move(0, 0)  # what scrolls below it would be pointed at
        leaves.first.focus()
        leaves.first.press("ArrowRight")
        expect(leaves.nth(1)).to_be_focused()
        leaves.nth(1).press("Enter")
        shown = view.locator("li:focus")
        expect(shown).to_have_attribute("aria-selected", "true")
        expect(peek.locator(".nk-snippet")).to_have_text(shown.inner_text())


def test_a_chosen_card_stands_out_in_the_tree(browser: Browser, mini_book: Path) -> None:
    with checks.visit(browser, mini_book.as_uri() + "/", "explorer.html") as seen:
        view = checks.explorer(seen.page)
        head, faint = view.locator(".nk-head").first, view.locator("path.nk-faint")
        assert faint.count() == 0
        head.click()
        expect(head).to_have_attribute("aria-pressed", "true")
        assert 0 < faint.count() < view.locator("path").count()
        head.click()
        expect(faint).to_have_count(0)


def test_the_page_shows_the_parameters_that_made_it(browser: Browser, mini_book: Path) -> None:
    with checks.visit(browser, mini_book.as_uri() + "/", "index.html") as seen:
        fold = seen.page.locator("summary", has_text="Parameters")
        code = seen.page.get_by_text('model = "the quick one"')
        expect(code).to_be_hidden()
        fold.click()
        expect(code).to_be_visible()
        expect(seen.page.get_by_text("'the quick one'", exact=True)).to_be_visible()
        seen.page.locator("summary", has_text="Code").click()
        expect(seen.page.locator(".cell_input").last).to_be_visible()


def test_public_names_lead_to_their_entry(quick_book: Path) -> None:
    entries = re.findall(r'id="nbkit\.(\w+)"', (quick_book / "api.html").read_text(encoding="utf-8"))
    assert sorted(entries) == nbkit.__all__
    for path in (REPOSITORY / "book").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        named = {name for cell in cells for name in re.findall(r"\bnbkit\.(\w+)", "".join(cell["source"]))}
        linked = re.findall(
            r'href="api\.html#nbkit\.(\w+)', (quick_book / f"{path.stem}.html").read_text(encoding="utf-8")
        )
        assert named & set(nbkit.__all__) <= set(linked), path.stem
