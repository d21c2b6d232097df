"""Finding neurons in the atlas explorer as a reader does: filters, the list beside the neuron, a phone, keys, notes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from nbkit.atlas.atlas import Atlas
from nbkit.explorers.atlas.sent_metrics import SENT_METRICS, sent_table
from tests.browser import page_checks as checks

PAGE = "atlas.html"


@contextmanager
def opened(browser: Browser, book: Path, end: str = "", width: int = 1440, by: str = "file") -> Iterator[Locator]:
    """The explorer of the page, with a neuron in it; nothing may have gone wrong there in the end."""
    with (
        checks.reached(book, "http" if by == "http" else "file") as base,
        checks.visit(browser, base, PAGE + end, width=width) as seen,
    ):
        view = seen.page.locator(checks.ATLAS)
        expect(view.locator(".nk-neuron")).to_be_attached()
        yield view
        checks.check_needs_no_network(seen)


def rows_of(view: Locator) -> Locator:
    return view.get_by_role("listbox", name="Neurons").get_by_role("option")


def drag(view: Locator, metric: str, end: str, share: float) -> None:
    """Take one end of a filter's slider to a share of its width."""
    thumb = view.get_by_role("slider", name=f"{metric}, {end}", exact=True)
    thumb.scroll_into_view_if_needed()
    box, track = thumb.bounding_box(), thumb.locator("xpath=..").bounding_box()
    assert box and track
    mouse = view.page.mouse
    mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(track["x"] + share * track["width"], track["y"] + 10, steps=5)
    mouse.up()


def stroke(view: Locator, metric: str, start: float, end: float) -> None:
    """Draw over a filter's histogram, from one share of its width to another."""
    track = view.get_by_role("group", name=metric, exact=True).locator(".nk-range")
    track.scroll_into_view_if_needed()
    box = track.bounding_box()
    assert box
    mouse = view.page.mouse
    mouse.move(box["x"] + start * box["width"], box["y"] + 8)
    mouse.down()
    mouse.move(box["x"] + end * box["width"], box["y"] + 8, steps=5)
    mouse.up()


def ranges(page: Page) -> dict[str, tuple[float, float]]:
    """The ranges that the address names; a single number stands for both ends."""
    several = re.findall(r"&(\w+)=(-?[\d.]*?)\.\.(-?[\d.]*)(?=&|$)", page.url)
    single = re.findall(r"&(n_clusters)=(\d+)(?=&|$)", page.url)
    return {name: (float(low or "-inf"), float(high or "inf")) for name, low, high in several} | {
        name: (float(value), float(value)) for name, value in single
    }


def passing(atlas: Atlas, asked: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """The neurons that a slow look at each finds, by the values that the page has."""
    table = sent_table(atlas)
    for name, (scale, shift) in SENT_METRICS.items():
        table[name] = np.rint((table[name] - shift) / scale) * scale + shift
    for name, (low, high) in ({"n_examples": (10, np.inf)} | asked).items():
        table = table[(table[name] >= low - 1e-6) & (table[name] <= high + 1e-6)]
    return table.sort_values("n_clusters", ascending=False, kind="stable")


def found(view: Locator, atlas: Atlas) -> tuple[dict[str, tuple[float, float]], pd.DataFrame]:
    """The ranges of the address and the neurons within, once the address has followed: the view counts as many."""
    status = view.locator(".nk-choice .nk-status")
    for _ in range(150):
        asked = ranges(view.page)
        expected = passing(atlas, asked)
        if status.inner_text().startswith(f"{len(expected)} of "):
            break
        view.page.wait_for_timeout(200)
    expect(status).to_contain_text(re.compile(f"^{len(expected)} of "))
    return asked, expected


def expect_listed(view: Locator, expected: pd.DataFrame) -> None:
    """The list holds these neurons in this order."""
    n = len(expected)
    expect(view.locator(".nk-choice .nk-status")).to_contain_text(re.compile(f"^{n} of "))
    names = [f"L{layer} N{index}" for layer, index in zip(expected["layer"], expected["index"], strict=True)]
    view.get_by_role("listbox", name="Neurons").evaluate("list => list.scrollTo(0, 0)")
    expect(rows_of(view).first).to_have_attribute("aria-posinset", "1")
    assert view.locator(".nk-row-name").all_inner_texts()[:6] == names[:6]


@pytest.mark.parametrize("by", ["file", "http"])
def test_two_clearly_different_behaviors_are_found_in_four_clicks(
    browser: Browser, mini_book: Path, atlas: Atlas, by: str
) -> None:
    with opened(browser, mini_book, by=by) as view:
        drag(view, "feature clusters", "at most", 0.62)  # 1
        stroke(view, "share of the second cluster", 0.3, 1)  # 2
        drag(view, "silhouette", "at least", 0.35)  # 3
        expect(view.page).to_have_url(re.compile("n_clusters=.*second_share=.*silhouette="))
        asked, expected = found(view, atlas)
        assert 0 < len(expected) < len(passing(atlas, {}))
        expect_listed(view, expected)
        row = rows_of(view).first
        expect(row.locator(".nk-line")).to_have_count(2)  # a text of each of the two
        keys = row.locator(".nk-key").evaluate_all("all => all.map((e) => e.getBoundingClientRect().left)")
        assert keys[0] == pytest.approx(keys[1], abs=1)
        row.click()  # 4
        layer, index = expected.iloc[0][["layer", "index"]]
        expect(view.locator(".nk-neuron .nk-title")).to_have_text(f"Layer {layer:.0f}, neuron {index:.0f}")
        expect(view.locator(".nk-neuron .nk-title")).to_be_in_viewport()
        expect(row).to_be_in_viewport()
        neuron = atlas.neuron(int(layer), int(index))
        second = int((neuron.clusters(0.5).labels == 1).sum()) / len(neuron)
        assert second >= asked["second_share"][0] - 0.004
        end = "#" + view.page.url.partition("#")[2]
    with opened(browser, mini_book, end, by=by) as view:
        expect_listed(view, expected)
        view.get_by_role("button", name="Clear filters").click()
        expect_listed(view, passing(atlas, {}))
        expect(view.page).to_have_url(re.compile(rf"#L{layer:.0f}N{index:.0f}$"))


def test_ready_made_filters_are_ranges_that_can_be_moved(browser: Browser, mini_book: Path, atlas: Atlas) -> None:
    with opened(browser, mini_book) as view:
        for name in ("Two clear behaviors", "Beyond tokens", "One behavior"):
            view.get_by_role("button", name=name).click()
            expect(view.page).to_have_url(re.compile("n_clusters="))
            found(view, atlas)


def test_more_filters_are_made_once_they_are_asked_for(browser: Browser, mini_book: Path, atlas: Atlas) -> None:
    label = "mean distance"
    with opened(browser, mini_book) as view:
        all_filters = view.locator(".nk-filter")
        first = all_filters.count()
        view.get_by_text("More filters").click()
        expect(view.get_by_role("slider", name=f"{label}, at least")).to_be_visible()
        assert all_filters.count() > first + 2
        for more in all_filters.all()[first:]:  # their histograms are of the neurons that pass
            assert more.locator(".nk-inside").get_attribute("d")
        assert "#" not in view.page.url
        drag(view, label, "at least", 0.5)
        expect(view.page).to_have_url(re.compile("&mean_distance="))
        asked, expected = found(view, atlas)
        assert 0 < len(expected) < len(passing(atlas, {})) and asked.keys() == {"mean_distance"}
        end = "#" + view.page.url.partition("#")[2]
    with opened(browser, mini_book, end) as view:
        expect_listed(view, expected)
        expect(view.locator(".nk-filters > summary")).to_have_text("Filters: 2 ranges")


def test_a_filter_is_set_by_keys_and_cleared(browser: Browser, mini_book: Path, atlas: Atlas) -> None:
    with opened(browser, mini_book) as view:
        low = view.get_by_role("slider", name="silhouette, at least")
        high = view.get_by_role("slider", name="silhouette, at most")
        low.press("PageUp")
        low.press("ArrowLeft")
        high.press("Home")  # as far as the other lets it
        assert (
            0 < float(high.get_attribute("aria-valuenow") or 0) - float(low.get_attribute("aria-valuenow") or 0) < 0.06
        )
        expect(view.page).to_have_url(re.compile("silhouette="))
        found(view, atlas)
        view.get_by_role("button", name="silhouette: any").click()
        expect(low).to_be_focused()
        expect(low).to_have_attribute("aria-valuetext", "no limit")
        expect_listed(view, passing(atlas, {}))


def test_a_phone_shows_the_list_or_the_neuron(browser: Browser, mini_book: Path) -> None:
    with opened(browser, mini_book, width=390) as view:
        rows = rows_of(view)
        expect(rows.first).to_be_visible()
        expect(view.locator(".nk-neuron")).to_be_hidden()
        expect(view.locator(".nk-filter").first).to_be_hidden()
        checks.check_fits_the_width(view.page)
        other = rows.and_(view.page.locator("[aria-selected=false]")).nth(
            1
        )  # the open one makes no entry in the history
        name = other.locator(".nk-row-name").inner_text()
        other.click()
        title = view.locator(".nk-neuron .nk-title")
        expect(title).to_be_in_viewport()
        expect(title).to_be_focused()
        expect(title).to_have_text("Layer {}, neuron {}".format(*re.findall(r"\d+", name)))
        expect(rows.first).to_be_hidden()
        checks.check_fits_the_width(view.page)
        view.get_by_role("button", name="‹ List").click()
        expect(view.locator(".nk-neuron")).to_be_hidden()
        expect(rows.filter(has_text=name)).to_be_in_viewport()
        view.page.go_back()
        expect(rows.first).to_be_visible()


def test_keys_find_walk_and_keep(browser: Browser, mini_book: Path) -> None:
    with opened(browser, mini_book) as view:
        skip = view.get_by_role("button", name="Skip to the open neuron")
        skip.focus()
        expect(skip).to_be_in_viewport()
        skip.press("Enter")
        title = view.locator(".nk-neuron .nk-title")
        expect(title).to_be_focused()
        first = title.inner_text()
        view.page.keyboard.press("j")
        expect(title).not_to_have_text(first)
        rows_of(view).first.locator("xpath=../..").focus()
        view.page.keyboard.press("k")
        expect(title).to_have_text(first)
        view.page.keyboard.press("f")
        expect(view.get_by_role("button", name="Favorite")).to_have_attribute("aria-pressed", "true")
        view.page.keyboard.press("/")
        field = view.get_by_role("searchbox")
        expect(field).to_be_focused()
        field.press_sequentially("jf/")
        expect(field).to_have_value("jf/")
        expect(title).to_have_text(first)


def note(view: Locator, label: str, text: str) -> None:
    """Give the open neuron a label and a note."""
    if not view.get_by_label("Label").is_visible():
        view.get_by_role("button", name="Note", exact=True).click()
    view.get_by_label("Label").fill(label)
    view.get_by_label("Note", exact=True).last.fill(text)
    view.get_by_label("Label").focus()


def test_what_is_kept_stays_and_travels(browser: Browser, mini_book: Path, tmp_path: Path) -> None:
    with opened(browser, mini_book, "#L2N5") as view:
        favorite = view.get_by_role("button", name="Favorite")
        favorite.click()
        expect(favorite).to_have_attribute("aria-pressed", "true")
        note(view, "<b>months</b>", "April & May")
        expect(view.get_by_role("button", name="Note: <b>months</b>")).to_be_visible()
        with view.page.context.new_page() as tab:  # the browser writes a little later than it is told
            tab.goto(view.page.url)
            expect(tab.get_by_role("button", name="Note: <b>months</b>")).to_be_visible()
        view.page.reload()
        expect(favorite).to_have_attribute("aria-pressed", "true")
        view.get_by_role("button", name="Note: <b>months</b>").click()
        expect(view.get_by_label("Note", exact=True).last).to_have_value("April & May")
        view.get_by_text("Favorites and notes: 1 neuron").click()
        view.get_by_label("List these only").check()
        expect(view.locator(".nk-choice .nk-status")).to_contain_text(re.compile("^[01] of "))
        with view.page.expect_download() as download:
            view.get_by_role("button", name="Export").click()
        file = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
        kept = {"layer": 2, "neuron": 5, "favorite": True, "label": "<b>months</b>", "note": "April & May"}
        assert file["neurons"] == [kept] and (file["format"], file["version"]) == ("nbkit-notes", 1)
    with opened(browser, mini_book, "#L0N1") as view:  # another browser
        view.get_by_text("Favorites and notes", exact=True).click()
        said = view.locator(".nk-shelf").get_by_role("status")

        def give(content: object) -> None:
            path = tmp_path / "notes.json"
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
            view.get_by_label("File of notes").set_input_files(path)

        give("no JSON")
        expect(said).to_have_text("This file is not JSON: choose one that “Export” has made.")
        give(file | {"atlas": file["atlas"] | {"id": "0", "model": "gpt2"}})
        expect(said).to_contain_text("These notes are on another atlas, of gpt2 on")
        give(file | {"neurons": [kept, kept | {"neuron": 4000}]})
        expect(said).to_have_text("Entry 2 names no neuron of this atlas: nothing was imported.")
        expect(view.get_by_text("Favorites and notes", exact=True)).to_be_visible()
        give(file)
        expect(said).to_have_text("1 neuron imported.")
        give(file)
        expect(said).to_have_text("1 neuron imported, 1 of them instead of what was kept.")
        view.get_by_role("searchbox").fill("L2 N5")
        view.get_by_role("searchbox").press("Enter")
        expect(view.get_by_role("button", name="Favorite")).to_have_attribute("aria-pressed", "true")
        view.get_by_role("button", name="Favorite").click()
        view.get_by_role("button", name="Note: <b>months</b>").click()
        note(view, "", "")
        expect(view.get_by_text("Favorites and notes", exact=True)).to_be_visible()  # nothing is left


def test_a_note_is_kept_of_who_leaves_while_typing(browser: Browser, mini_book: Path) -> None:
    with opened(browser, mini_book, "#L2N5") as view:
        view.get_by_role("button", name="Note", exact=True).click()
        view.get_by_label("Label").fill("months")
        view.page.evaluate("location.hash = '#L0N1'")
        expect(view.locator(".nk-neuron .nk-title").first).to_have_text("Layer 0, neuron 1")
        expect(view.get_by_label("Label")).to_have_value("")
        view.page.go_back()
        expect(view.get_by_label("Label")).to_have_value("months")
        view.get_by_label("Label").fill("years")
        expect(view.get_by_role("button", name="Note: months")).to_be_visible()  # nothing is kept at every key
        view.page.evaluate("dispatchEvent(new Event('pagehide'))")  # as when the page is closed
        expect(view.get_by_role("button", name="Note: years")).to_be_visible()
