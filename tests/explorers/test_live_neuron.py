"""The live neuron: what it sends, its colors, and the cut that moves by itself until the reader touches it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, expect

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.explorers import DendrogramExplorer, LiveNeuron
from nbkit.explorers.live_neuron.live_neuron import LIVE_NEAR
from nbkit.explorers.shared.bundle import module_text
from tests.browser import page_checks as checks
from tests.browser.node import run_module
from tests.examples.neuron import HOSTILE, example_neuron

SECONDS = 6
"""That the cut takes to its resting place."""
WATCH = """
new MutationObserver((changes) => { window.played ||= changes.some(({ target }) => target.matches(".nk-playing")); })
  .observe(document, { subtree: true, attributeFilter: ["class"] });
"""


def test_images_are_refused(gray_atlas: Atlas) -> None:
    with pytest.raises(
        NbkitError, match=r"^S0 \(conv\), channel 1 sees images, and LiveNeuron shows text: take Dendro"
    ):
        LiveNeuron(gray_atlas.neuron(0, 1))


def test_only_the_text_near_the_key_tokens_is_sent() -> None:
    neuron = example_neuron(40, words=HOSTILE)
    whole, sent = json.loads(DendrogramExplorer(neuron).data), json.loads(LiveNeuron(neuron).data)
    assert all(sent[name] == whole[name] for name in ("pairs", "heights", "medoids", "contexts", "positions", "title"))
    for example, key in enumerate(whole["keys"]):
        tokens = [[data["vocabulary"][t] for t in data["tokens"][example]] for data in (whole, sent)]
        near = slice(max(0, key - LIVE_NEAR[0]), key + LIVE_NEAR[1] + 1)
        assert tokens[1] == tokens[0][near]
        assert sent["activations"][example] == whole["activations"][example][near]
        assert tokens[1][sent["keys"][example]] == tokens[0][key]


def test_a_cluster_keeps_its_color_while_the_cut_moves() -> None:
    # ((0 1) (2 3)) and (4 (5 6)): nodes 7 = 01, 8 = 23, 9 = 56, 10 = 0123, 11 = 456, 12 = all
    made = module_text("shared/cluster-colors.js") + module_text("shared/tree.js")
    report = """
    const tree = makeTree([0, 1, 2, 3, 5, 6, 7, 8, 4, 9, 10, 11], [0.1, 0.2, 0.3, 0.6, 0.7, 0.9]);
    const colors = (threshold) => {
      const color = clusterColors(tree, cut(tree, threshold));
      return Array.from({ length: 13 }, (_, node) => color(node).replace(/var\\(--(hue-)?|\\)/g, ""));
    };
    console.log(JSON.stringify([colors(0.75), colors(0.4)]));"""
    high, low = json.loads(run_module(made + report))
    alone = ["alone"] * 7
    # cut at 0.75 into 10 and 11: the larger child 9 of 11 and, of equals, the first child 7 of 10 keep the color
    assert high == [*alone, "0", "2", "1", "0", "1", "0"]
    # cut at 0.4 into 7, 8, 9 and 4, which is alone; above, the color of the largest one below
    assert low == [*alone, "0", "1", "2", "0", "2", "0"]


@contextmanager
def live(browser: Browser, book: Path, width: int = 1280, motion: Literal["reduce"] | None = None) -> Iterator[Locator]:
    """The live neuron of the small book's page, in sight."""
    context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion=motion)
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(book.as_uri() + "/explorer.html")
    view = page.locator(checks.LIVE)
    view.get_by_role("slider").scroll_into_view_if_needed()
    yield view
    context.close()


def test_the_neuron_falls_apart_once_and_nothing_moves_away(browser: Browser, mini_book: Path) -> None:
    clusters = example_neuron(60, words=HOSTILE).clusters()
    first, last = clusters.cut(1).n_clusters, clusters.n_clusters
    for width in (1280, 390):
        with live(browser, mini_book, width) as view:
            slider, status = view.get_by_role("slider"), view.get_by_role("status")
            view.page.wait_for_function("window.played")
            slider.press("End")
            view.page.clock.install(time=0)
            view.page.clock.pause_at(3600)
            view.get_by_role("button", name="Play again").click()
            view.page.clock.run_for(500)
            expect(status).to_have_text(f"{first} clusters at distance 1.00")
            expect(view.locator("section")).to_have_count(first)
            expect(view.get_by_role("button", name="Pause")).to_be_visible()
            height, found = view.bounding_box(), [first]
            for _ in range(SECONDS):
                view.page.clock.run_for(1000)
                found.append(int(re.sub(r" .*", "", status.inner_text())))
                assert view.bounding_box() == height
            assert found == sorted(found) and found[-1] == last
            expect(slider).to_have_attribute("aria-valuenow", "0.5")
            expect(view.get_by_role("button", name="Play again")).to_be_visible()
            expect(view.locator("section")).to_have_count(3)
            expect(view.locator(".nk-others")).to_have_text(f"and {last - 3} smaller clusters")
            checks.check_fits_the_width(view.page)


def test_a_touch_stops_it_and_the_reader_cuts_on(browser: Browser, mini_book: Path) -> None:
    with live(browser, mini_book) as view:
        slider, again = view.get_by_role("slider"), view.get_by_role("button", name="Play again")
        slider.press("End")
        expect(again).to_be_visible()
        expect(view.get_by_role("status")).to_contain_text("at distance 1.00")
        slider.press("Home")
        expect(slider).to_have_attribute("aria-valuenow", "0.01")
        view.page.clock.install(time=0)
        view.page.clock.pause_at(3600)
        again.click()
        expect(view.get_by_role("button", name="Pause")).to_be_visible()
        view.locator(".nk-plot").click(position={"x": 5, "y": 5})
        expect(again).to_be_visible()

        slider.press("End")
        head = view.get_by_role("button", name="Cluster 1")
        slider.press("PageDown")
        head.click()
        expect(head).to_have_attribute("aria-pressed", "true")
        leaf = view.get_by_role("listbox").get_by_role("option").nth(3)
        leaf.hover()
        expect(view.locator(".nk-under .nk-key")).to_have_count(1)
        view.get_by_role("status").hover()
        expect(view.locator(".nk-under")).to_contain_text("Drag the dashed line")


def test_who_wants_no_motion_sees_it_at_rest(browser: Browser, mini_book: Path) -> None:
    with live(browser, mini_book, motion="reduce") as view:
        expect(view.get_by_role("button", name="Play again")).to_be_visible()
        expect(view.get_by_role("slider")).to_have_attribute("aria-valuenow", "0.5")
        assert not view.page.evaluate("window.played")
