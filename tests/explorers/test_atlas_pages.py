"""The atlas explorer on a built page, used as a reader would: by mouse, by keyboard and by link."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from nbkit.atlas.atlas import Atlas
from nbkit.explorers.atlas.neuron_shard import ACTIVATION_STEPS, rounded
from nbkit.features.table import features_of
from tests.browser import page_checks as checks

PAGE = "atlas.html"
WIDTHS = (360, 768, 1280, 2560)


@contextmanager
def opened(
    browser: Browser,
    base: str,
    end: str = "",
    *,
    width: int = 1280,
    scheme: Literal["light", "dark"] = "light",
    faulty: bool = False,
) -> Iterator[Locator]:
    """The explorer of the page, with something in it; nothing may have gone wrong there in the end."""
    with checks.visit(browser, base, PAGE + end, width=width, scheme=scheme) as seen:
        view = seen.page.locator(checks.ATLAS)
        expect(view.locator(".nk-neuron, .nk-error:not(:empty)").first).to_be_attached()
        yield view
        if not faulty:
            checks.check_needs_no_network(seen)


def find(view: Locator, text: str) -> None:
    """Ask for a neuron or a word."""
    view.get_by_role("searchbox").fill(text)
    view.get_by_role("searchbox").press("Enter")


def expect_open(view: Locator, layer: int, index: int) -> None:
    """A neuron is open, wherever that shows."""
    expect(view.locator(".nk-neuron .nk-title")).to_have_text(f"Layer {layer}, neuron {index}")


def expect_address(page: Page, end: str) -> None:
    expect(page).to_have_url(re.compile(re.escape(PAGE + end) + "$"))


def rows_by(atlas: Atlas, column: str, least: int = 10, ascending: bool = False) -> list[tuple[int, int]]:
    """Neurons as they are listed: by value, as the page has it, of those that are equal there the earlier one."""
    table = atlas.neurons
    table = table[(table["n_examples"] >= least) & table[column].notna()]
    table = table.assign(**{column: rounded(table[column].to_numpy())})
    ranked = table.sort_values(column, ascending=ascending, kind="stable")
    return list(zip(ranked["layer"], ranked["index"], strict=True))


def cut(view: Locator) -> Locator:
    """The handle that cuts the tree."""
    return view.get_by_role("slider", name="Distance at which the tree is cut")


def listed(view: Locator) -> list[tuple[int, int]]:
    """The neurons whose rows exist, from the first on."""
    box = view.get_by_role("listbox", name="Neurons")
    box.evaluate("list => list.scrollTo(0, 0)")
    expect(box.get_by_role("option").first).to_have_attribute("aria-posinset", "1")
    names = box.locator(".nk-row-name").all_inner_texts()
    return [(int(a), int(b)) for a, b in re.findall(r"L(\d+) N(\d+)", "\n".join(names))]


def test_a_neuron_is_open_at_once_and_shows_its_metrics(browser: Browser, base: str, atlas: Atlas) -> None:
    with opened(browser, base) as view:
        found = re.fullmatch(r"Layer (\d+), neuron (\d+)", view.locator(".nk-neuron .nk-title").inner_text())
        assert found
        neuron = atlas.neuron(int(found[1]), int(found[2]))
        tiles = view.locator(".nk-neuron .nk-tiles > div")
        expect(tiles.filter(has=view.page.get_by_text("examples", exact=True)).locator("dd")).to_have_text(
            str(len(neuron))
        )
        bars = view.get_by_role("list", name="Contexts by their highest activation").get_by_role("listitem")
        counts = [int(text.split(": ")[1].split(" ")[0].replace(",", "")) for text in bars.all_text_contents()]
        assert counts == [level.count for level in sorted(neuron.levels, key=lambda level: level.low)]
        effects = neuron.logit_effects
        assert effects is not None
        values = view.get_by_role("list", name="Tokens it promotes").locator(".nk-value").all_inner_texts()
        assert [float(value) for value in values] == pytest.approx(effects.promoted, abs=0.006)
        assert "#" not in view.page.url  # an address is left alone until the reader goes somewhere


def test_a_neuron_is_found_by_number_and_the_browser_goes_back(browser: Browser, base: str) -> None:
    with opened(browser, base) as view:
        first = view.locator(".nk-neuron .nk-title").inner_text()
        back = view.get_by_role("button", name="Back")
        expect(back).to_be_disabled()
        for text, layer, index in (("L2 N5", 2, 5), ("l0n7", 0, 7), ("1/39", 1, 39)):
            find(view, text)
            expect_open(view, layer, index)
            expect_address(view.page, f"#L{layer}N{index}")
        back.click()
        expect_open(view, 0, 7)
        view.page.go_back()
        expect_open(view, 2, 5)
        back.click()
        expect(view.locator(".nk-neuron .nk-title")).to_have_text(first)
        expect(back).to_be_disabled()
        view.page.go_forward()
        expect_open(view, 2, 5)


def test_a_neuron_that_is_not_there_is_told(browser: Browser, base: str) -> None:
    with opened(browser, base) as view:
        find(view, "L9 N3")
        expect(view.locator(".nk-found").get_by_role("status")).to_contain_text("There is no L9 N3 in this atlas")
    with opened(browser, base, "#L0N4000") as view:
        expect(view.get_by_role("alert")).to_contain_text("There is no L0 N4000 in this atlas: it holds layers 0 to 2")
        expect(view.locator(".nk-neuron")).to_be_visible()


def thumb(view: Locator, metric: str, end: str) -> Locator:
    """One end of a filter's slider, unfolded if it is not in sight."""
    return view.get_by_role("slider", name=f"{metric}, {end}", exact=True)


def stroke(view: Locator, metric: str, start: float, end: float) -> None:
    """Draw over a filter's histogram, from one share of its width to another."""
    track = view.get_by_role("group", name=metric, exact=True).locator(".nk-range")
    track.scroll_into_view_if_needed()
    box = track.bounding_box()
    assert box
    view.page.mouse.move(box["x"] + start * box["width"], box["y"] + 10)
    view.page.mouse.down()
    view.page.mouse.move(box["x"] + end * box["width"], box["y"] + 10, steps=4)
    view.page.mouse.up()


def in_address(page: Page) -> dict[str, tuple[float, float]]:
    """The ranges that the address names."""
    found = re.findall(r"&(\w+)=([-\d.]*?)\.\.([-\d.]*)(?=&|$)", page.url)
    return {name: (float(low or "-inf"), float(high or "inf")) for name, low, high in found}


def test_neurons_are_sorted(browser: Browser, base: str, atlas: Atlas) -> None:
    with opened(browser, base) as view:
        thumb(view, "examples", "at least").press("Home")
        expect(view.locator(".nk-choice .nk-status")).to_contain_text("120 neurons")
        thumb(view, "examples", "at least").press("ArrowRight")
        view.get_by_label("Sort by").select_option("max_activation")
        expect(view.page).to_have_url(re.compile(r"n_examples=\d"))
        low = in_address(view.page)["n_examples"][0]
        assert listed(view)[:5] == rows_by(atlas, "max_activation", int(low))[:5]
        view.get_by_role("button", name="turn the order around").click()
        assert listed(view)[:5] == rows_by(atlas, "max_activation", int(low), ascending=True)[:5]


def test_the_list_and_the_buttons_walk_in_its_order(browser: Browser, base: str, atlas: Atlas) -> None:
    order = rows_by(atlas, "n_clusters")
    with opened(browser, base) as view:
        options = view.get_by_role("listbox", name="Neurons")
        options.focus()
        options.press("Home")
        expect_open(view, *order[0])
        options.press("ArrowDown")
        expect_open(view, *order[1])
        options.press("End")
        expect_open(view, *order[-1])
        expect(options.locator("[aria-selected=true]")).to_be_in_viewport()
        view.get_by_role("button", name="Next").click()
        expect_open(view, *order[0])
        view.get_by_role("button", name="Previous").click()
        expect_open(view, *order[-1])
        view.page.evaluate("Math.random = () => 0.5")
        view.get_by_role("button", name="Random").click()
        expect_open(view, *order[len(order) // 2])
        options.get_by_role("option", selected=True).click()
        expect_open(view, *order[len(order) // 2])


def test_a_mark_of_the_plot_opens_its_neuron(browser: Browser, base: str, atlas: Atlas) -> None:
    with opened(browser, base) as view:
        view.get_by_text("The whole model, layer by layer").click()
        canvas = view.locator(".nk-glance canvas")
        box = canvas.bounding_box()
        assert box
        for across in np.linspace(0.1, 0.9, 30):
            canvas.hover(position={"x": box["width"] * across, "y": 140})
            said = view.locator(".nk-glance .nk-about").inner_text()
            if found := re.match(r"L(\d+) N(\d+): feature clusters (\d+)", said):
                break
        assert found
        layer, index, clusters = map(int, found.groups())
        table = atlas.neurons.set_index(["layer", "index"])
        assert table.loc[(layer, index), "n_clusters"] == clusters
        canvas.click(position={"x": box["width"] * across, "y": 140})
        expect_open(view, layer, index)
        expect(view.locator(".nk-neuron .nk-title")).to_be_focused()


def test_the_cut_moves_regroups_and_is_in_the_address(browser: Browser, base: str, atlas: Atlas) -> None:
    layer, index = rows_by(atlas, "n_clusters")[0]
    neuron = atlas.neuron(layer, index)
    with opened(browser, base, f"#L{layer}N{index}&t=0.2") as view:
        cards = view.locator(".nk-card")
        more = view.get_by_role("button", name="more cluster")
        for key, threshold in (("Home", 0.01), ("End", 1.0), ("PageDown", 0.9), ("ArrowDown", 0.89)):
            cut(view).press(key)
            expected = neuron.clusters(threshold)
            noun = "cluster" if expected.n_clusters == 1 else "clusters"
            text = f"{expected.n_clusters} {noun} at distance {threshold:.2f}"
            expect(view.locator(".nk-neuron .nk-status")).to_have_text(text)
            expect(cards).to_have_count(min(expected.n_clusters, 8))
            assert more.count() == (expected.n_clusters > 8)
            expect_address(view.page, f"#L{layer}N{index}&t={threshold:.2g}")
            size = int((expected.labels == 0).sum())
            expect(cards.first).to_contain_text(f"{size} example")


def test_an_example_that_is_pointed_at_stands_out_once_its_card_unfolds(
    browser: Browser, base: str, atlas: Atlas
) -> None:
    layer, index = rows_by(atlas, "n_examples")[0]
    with opened(browser, base, f"#L{layer}N{index}") as view:
        place = int(view.locator(".nk-card").filter(has_text="Show all").first.get_attribute("data-place") or 0)
        card, number = view.locator(f'.nk-card[data-place="{place}"]'), place + 1
        marked = card.locator("[role=option].nk-marked[aria-selected=true]")
        folded = card.get_by_role("option").count()
        for leaf in view.locator(f'.nk-leaves rect[aria-label^="Cluster {number},"]').all():
            leaf.focus()
            if not marked.count():  # of an example that the card doesn't show yet
                break
        expect(marked).to_have_count(0)
        card.get_by_role("button", name="Show all").press("Enter")  # the mouse would point at others
        expect(marked).to_have_count(1)
        assert card.get_by_role("option").count() > folded
        card.get_by_role("option").first.focus()
        expect(card.get_by_role("option").first).to_have_attribute("aria-selected", "true")
        expect(marked).to_have_count(1)


def test_a_link_opens_what_it_names(browser: Browser, base: str, atlas: Atlas) -> None:
    layer, index = next(row for row in rows_by(atlas, "n_clusters") if atlas.neuron(*row).clusters(0.3).n_clusters > 1)
    end = f"#L{layer}N{index}&t=0.3&c=2&color=importance"
    with opened(browser, base, end) as view:
        expect_open(view, layer, index)
        expect(cut(view)).to_have_attribute("aria-valuenow", "0.3")
        expect(view.get_by_label("Color tokens by")).to_have_value("importance")
        expect(view.locator(".nk-card").nth(1).locator(".nk-head")).to_have_attribute("aria-pressed", "true")
        expect(view.locator(".nk-card").nth(1)).to_be_in_viewport()
        view.locator(".nk-card").first.locator(".nk-head").click()
        expect_address(view.page, end.replace("c=2", "c=1"))
        view.get_by_label("Color tokens by").select_option("activation")
        expect_address(view.page, f"#L{layer}N{index}&t=0.3&c=1")


def test_a_link_keeps_what_was_listed_and_searched(browser: Browser, base: str, atlas: Atlas) -> None:
    features = features_of(atlas, progress=False)
    largest = features.loc[int(features["size"].to_numpy().argmax())]
    word = atlas.token_strings([int(largest["key_id"])])[0].strip().lower()
    layer, index = rows_by(atlas, "n_clusters")[0]
    with opened(browser, base, f"#L{layer}N{index}") as view:
        view.get_by_label("Sort by").select_option("n_examples")
        view.get_by_role("button", name="Largest first").click()
        for _ in range(3):
            thumb(view, "examples", "at least").press("ArrowLeft")
        thumb(view, "layer", "at most").press("ArrowLeft")
        expect(view.page).to_have_url(re.compile("layer="))
        first = listed(view)[:5]
        find(view, word)
        hits = view.get_by_role("listbox", name="Neurons").get_by_role("option")
        expect(view.locator(".nk-choice .nk-status")).to_contain_text("feature")
        expect(hits.first).to_contain_text("cluster")
        end = "#" + view.page.url.partition("#")[2]
        assert "&metric=n_examples&order=smallest&n_examples=" in end and end.endswith(f"&layer=..1&find={quote(word)}")
        found = [text.split("\n")[0] for text in hits.all_inner_texts()]
    with opened(browser, base, end) as view:
        expect_open(view, layer, index)
        expect(view.get_by_label("Sort by")).to_be_hidden()  # what was found has an order of its own
        expect(thumb(view, "layer", "at most")).to_have_attribute("aria-valuenow", "1")
        expect(view.get_by_role("searchbox")).to_have_value(word)
        hits = view.get_by_role("listbox", name="Neurons").get_by_role("option")
        expect(hits.first).to_contain_text("cluster")
        assert [text.split("\n")[0] for text in hits.all_inner_texts()] == found
        hits.first.click()
        view.get_by_role("button", name="Close results").click()
        expect(view.page).to_have_url(re.compile("layer=..1$"))
        assert listed(view)[:5] == first
        view.page.go_back()
        expect_open(view, layer, index)
        expect(hits.first).to_contain_text("cluster")


def test_addresses_of_earlier_books_are_understood(browser: Browser, base: str, atlas: Atlas) -> None:
    layer, index = rows_by(atlas, "n_clusters")[0]
    with opened(browser, base, f"#L{layer}N{index}&t=0.42&metric=n_examples&order=smallest&layer=1&least=7") as view:
        expect_open(view, layer, index)
        expect(cut(view)).to_have_attribute("aria-valuenow", "0.42")
        expect(thumb(view, "examples", "at least")).to_have_attribute("aria-valuenow", "7")
        expect(thumb(view, "layer", "at least")).to_have_attribute("aria-valuenow", "1")
        expected = [row for row in rows_by(atlas, "n_examples", 7, ascending=True) if row[0] == 1]
        assert listed(view)[:5] == expected[:5]


def test_importance_colors_the_tokens_of_which_it_is_known(browser: Browser, base: str) -> None:
    with opened(browser, base) as view:  # a neuron that the pages show, whose medoids have it
        view.get_by_label("Color tokens by").select_option("importance")
        medoid = view.locator(".nk-card").first.locator(".nk-snippet").first
        known = medoid.locator(".nk-token[title^=importance]")
        tokens = medoid.locator(".nk-token")
        key = tokens.evaluate_all("all => all.findIndex((e) => e.classList.contains('nk-key'))")
        expect(known).to_have_count(key + 1)
        values = [float(str(title).split()[1]) for title in known.evaluate_all("all => all.map((e) => e.title)")]
        assert max(values) == 1 and min(values) >= 0
        expect(view.locator(".nk-legend")).to_contain_text("importance 0")
        expect(view.get_by_text("Token importance: It is known here for")).to_be_visible()


def test_a_word_is_found_and_leads_to_its_features(browser: Browser, base: str, atlas: Atlas) -> None:
    features = features_of(atlas, progress=False)
    largest = features.loc[int(features["size"].to_numpy().argmax())]
    word = atlas.token_strings([int(largest["key_id"])])[0].strip()
    with opened(browser, base) as view:
        find(view, word)
        results = view.get_by_role("region", name="What was found")
        expect(results.get_by_role("status")).to_contain_text(f"“{word.lower()}”: ")
        rows = view.get_by_role("listbox", name="Neurons").get_by_role("option")
        expect(rows.first).to_contain_text("cluster")
        expect(rows.first.locator(".nk-key")).to_have_count(1)
        found = re.match(r"L(\d+) N(\d+) · cluster (\d+)\n(\d+) of (\d+)", rows.first.inner_text())
        assert found
        layer, index, number = (int(part) for part in found.groups()[:3])
        rows.first.click()
        expect_open(view, layer, index)
        card = view.locator(".nk-card").nth(number - 1)
        expect(card).to_be_in_viewport()
        expect(rows.first).to_be_in_viewport()
        assert word.lower() in card.inner_text().lower()
        medoid = atlas.neuron(layer, index).snippets[
            int(features.set_index(["layer", "index", "place"]).loc[(layer, index, number - 1), "medoid"])
        ]
        expect(rows.first.locator(".nk-key")).to_contain_text(medoid.key_token.strip() or medoid.key_token)
        results.get_by_role("button", name="Close results").click()
        expect(results).to_be_hidden()
        find(view, "no such phrase anywhere")
        expect(results.get_by_role("status")).to_contain_text("no feature has it")


def test_text_link_and_file_can_be_taken_away(browser: Browser, base: str, atlas: Atlas) -> None:
    layer, index = rows_by(atlas, "n_clusters")[0]
    neuron = atlas.neuron(layer, index)
    with opened(browser, base, f"#L{layer}N{index}") as view:
        page = view.page
        page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
        share = view.locator(".nk-share summary")
        share.click()
        view.get_by_role("button", name="Copy link").click()
        expect(view.locator(".nk-neuron .nk-tools").get_by_role("status")).to_have_text("Copied.")
        assert page.evaluate("window.copied") == page.url
        share.click()
        view.get_by_role("button", name="Copy as text").click()
        text = page.evaluate("window.copied")
        assert f"L{layer} N{index}: {len(neuron)} examples" in text
        assert text.count("\n  ") == len(neuron)
        with page.expect_download() as download:
            share.click()
            view.get_by_role("button", name="Download JSON").click()
        assert download.value.suggested_filename == f"L{layer}N{index}.json"
        content = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
        assert [example["context"] for example in content["examples"]] == neuron.context.tolist()
        assert [example["cluster"] - 1 for example in content["examples"]] == neuron.clusters().labels.tolist()
        windows = (neuron.window, *(level.window for level in neuron.levels))
        step = max(np.abs(window).max() for window in windows if window.size) / ACTIVATION_STEPS
        for example, snippet in zip(content["examples"], neuron.snippets, strict=True):
            assert tuple(example["tokens"]) == snippet.tokens
            assert np.allclose(example["activations"], snippet.activations, rtol=0, atol=0.51 * step)


def test_weaker_examples_unfold(browser: Browser, base: str, atlas: Atlas) -> None:
    layer, index = rows_by(atlas, "n_clusters")[0]
    neuron = atlas.neuron(layer, index)
    with opened(browser, base, f"#L{layer}N{index}") as view:
        view.get_by_text("Text at lower activation").click()
        shown = 0
        for band in view.locator(".nk-band").all():
            title = band.locator(".nk-part").inner_text()
            [level] = [level for level in neuron.levels if f"Activation {level.low:.3g} to {level.high:.3g}," in title]
            assert f": {level.count} context" in title
            for text in band.locator(".nk-snippet").all():
                peak = float(text.locator(".nk-value").inner_text())
                assert peak < 0.75 * neuron.max_activation
                assert any(peak == pytest.approx(value, rel=6e-3) for value in level.peak)
                shown += 1
        assert shown >= 2


def test_a_missing_or_damaged_part_is_told_and_the_rest_works(
    browser: Browser, mini_book: Path, tmp_path: Path, atlas: Atlas
) -> None:
    book = tmp_path / "html"
    shutil.copytree(mini_book, book)
    [site] = (book / "_static" / "atlases").iterdir()
    for name, text in (("neurons-00001", ""), ("similar-00000", "nbkitShard("), ("features", None)):
        (site / f"{name}.js").unlink()
        if text is not None:
            (site / f"{name}.js").write_text(text, encoding="utf-8")
    with opened(browser, book.as_uri() + "/", "#L0N1", faulty=True) as view:
        find(view, "L0 N20")
        expect(view.get_by_role("alert")).to_contain_text("“neurons-00001”, cannot be read: its file is damaged")
        find(view, "L2 N5")
        expect_open(view, 2, 5)
        expect(view.get_by_role("alert")).to_have_count(0)
        find(view, "a")
        expect(view.locator(".nk-found").get_by_role("status")).to_contain_text(
            "“features”, cannot be read: its file is missing"
        )
        similar = view.locator(".nk-similar").first
        similar.locator("summary").click()
        expect(similar).to_contain_text("cannot be read")
    (site / "overview.js").unlink()
    with opened(browser, book.as_uri() + "/", faulty=True) as view:
        expect(view.get_by_role("alert")).to_contain_text("“overview”, cannot be read: its file is missing")


def test_hostile_text_is_text(browser: Browser, base: str, atlas: Atlas) -> None:
    with opened(browser, base) as view:
        seen = ""
        for layer, index in rows_by(atlas, "n_clusters")[:12]:
            find(view, f"L{layer} N{index}")
            expect_open(view, layer, index)
            seen += view.locator(".nk-cards").inner_text()
        assert "<script>" in seen
        assert view.locator("script, img").count() == 0
        assert view.evaluate("() => window.hacked === undefined")


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_any_width(browser: Browser, base: str, width: int) -> None:
    with opened(browser, base, width=width) as view:
        one_at_a_time = width < 900
        if one_at_a_time:
            view.get_by_role("listbox", name="Neurons").get_by_role("option").first.click()
        view.locator(".nk-similar summary").first.click()
        checks.check_fits_the_width(view.page)
        if one_at_a_time:
            view.get_by_role("button", name="‹ List").click()
        find(view, "a")
        expect(view.locator(".nk-row .nk-key").first).to_be_attached()
        checks.check_fits_the_width(view.page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_with_everything_open(
    browser: Browser, mini_book: Path, axe: Path, scheme: Literal["light", "dark"]
) -> None:
    with checks.served(mini_book) as base, checks.visit(browser, base, PAGE, scheme=scheme) as seen:  # axe reads styles
        view = seen.page.locator(checks.ATLAS)
        find(view, "a")
        expect(view.locator(".nk-row .nk-key").first).to_be_visible()
        closed = view.locator("details:not([open]) > summary:visible")
        while closed.count():
            closed.first.click()
        view.get_by_label("Color tokens by").select_option("importance")
        checks.check_accessible(view.page, axe)
