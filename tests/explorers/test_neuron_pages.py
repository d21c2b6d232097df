"""One neuron on a built page: similar features, a second neuron, a unit by itself, and its name on other pages."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, expect

from nbkit.atlas.atlas import Atlas
from nbkit.features.agreement import agreement_of, most_agreeing_kind
from nbkit.features.neighbors import neighbor_kinds, neighbors_of
from nbkit.features.random_pairs import PAIR_SHARES
from nbkit.features.table import features_of
from tests.browser import page_checks as checks

CHANCE = r"cosine (−?\d\.\d\d), (?:closer than ([\d.]+)%|no closer than half) of random pairs"


def title_of(view: Locator) -> Locator:
    return view.locator(".nk-first .nk-title, .nk-open > .nk-neuron .nk-title")


def test_similar_features_are_told_beside_chance_and_lead_to_their_neurons(
    browser: Browser, base: str, atlas: Atlas
) -> None:
    features = features_of(atlas, progress=False)
    number = int(features["size"].to_numpy().argmax())
    row = features.loc[number]
    usual = most_agreeing_kind(agreement_of(atlas, progress=False), neighbor_kinds(atlas))
    place = f"#L{row['layer']}N{row['index']}"
    with checks.visit(browser, base, f"atlas.html{place}") as seen:
        view = seen.page.locator(checks.ATLAS)
        similar = view.locator(".nk-card").nth(int(row["place"])).locator(".nk-similar")
        similar.locator("summary").click()
        expect(view.get_by_label("Similar features by")).to_have_value(usual)
        for kind in sorted(neighbor_kinds(atlas), key=lambda kind: kind == usual):
            view.get_by_label("Similar features by").select_option(kind)
            near = neighbors_of(atlas, kind, progress=False)
            random = near.random[atlas.layers.index(int(row["layer"]))]
            both = [zip(near.feature[number, scope], near.cosine[number, scope], strict=True) for scope in (0, 1)]
            found = [(int(f), cosine, scope) for scope in (0, 1) for f, cosine in both[scope] if f >= 0]
            names = [features.loc[f] for f, _, _ in found]
            texts = [f"L{n['layer']} N{n['index']} · cluster {n['place'] + 1}" for n in names]
            expect(similar.locator("li .nk-link:first-child")).to_have_text(texts)
            lines = similar.locator("li .nk-about").all_inner_texts()
            for line, (_, cosine, scope) in zip(lines, found, strict=True):
                told = re.fullmatch(CHANCE, line)
                assert told and float(told[1].replace("−", "-")) == pytest.approx(cosine, abs=0.0076)
                below = random[scope] < float(told[1].replace("−", "-"))
                margins = np.abs(random[scope] - cosine)
                if margins.min() > 0.01:  # not at the edge, where what is rounded may lie on the other side
                    expected = [100 * share for share, is_below in zip(PAIR_SHARES, below, strict=True) if is_below]
                    assert float(told[2] or 0) == pytest.approx(max(expected, default=0))
        expect(seen.page).to_have_url(re.compile(re.escape(place) + "$"))  # the usual kind needs no word
        shared = agreement_of(atlas, progress=False).query("kind == @usual and scope == 'same' and measure == 'words'")
        share = 100 * shared["neighbors"].iloc[0]
        known = f"Similar features share {round(share) if share >= 10 else round(share, 1):g}% of their key words"
        view.get_by_text(re.compile(known if len(shared.dropna()) else "is not known here")).click()
        expect(view.get_by_role("table", name="How far neighbors agree").get_by_role("row")).to_have_count(3)
        similar.locator("li .nk-link:first-child").last.click()
        expect(title_of(view)).to_have_text(f"Layer {names[-1]['layer']}, neuron {names[-1]['index']}")
        card = view.locator(".nk-card").nth(int(names[-1]["place"]))
        expect(card.locator(".nk-head")).to_have_attribute("aria-pressed", "true")
        expect(card).to_be_in_viewport()
        view.get_by_role("button", name="Back").click()
        expect(title_of(view)).to_have_text(f"Layer {row['layer']}, neuron {row['index']}")
        checks.check_needs_no_network(seen)


@pytest.mark.parametrize("width", [390, 1440])
def test_two_neurons_stand_side_by_side(browser: Browser, base: str, width: int, axe: Path) -> None:
    with checks.visit(browser, base, "atlas.html#L0N7&with=L2N5", width=width) as seen:
        view = seen.page.locator(checks.ATLAS)
        second = view.locator(".nk-second")
        expect(second.locator(".nk-title")).to_have_text("Layer 2, neuron 5")
        expect(view.locator(".nk-common")).to_contain_text("L0 N7 and L2 N5 have ")
        boxes = [part.bounding_box() for part in (view.locator(".nk-open > .nk-neuron"), second)]
        assert boxes[0] and boxes[1]
        assert (boxes[0]["y"] == pytest.approx(boxes[1]["y"], abs=4)) == (width == 1440)
        checks.check_fits_the_width(seen.page)
        slider = view.get_by_role("slider").first
        slider.press("End")
        for status in view.locator(".nk-neuron .nk-status").all():
            expect(status).to_have_text("1 cluster at distance 1.00")
        checks.check_needs_no_network(seen)
        if base.startswith("http"):  # axe reads styles, and looks for some where they are not
            checks.check_accessible(seen.page, axe)
        second.get_by_role("button", name="Swap").click()
        expect(second.locator(".nk-title")).to_have_text("Layer 0, neuron 7")
        expect(title_of(view)).to_have_text("Layer 2, neuron 5")
        expect(seen.page).to_have_url(re.compile("#L2N5&t=1&with=L0N7$"))
        second.get_by_role("button", name="Close").click()
        expect(second).to_be_hidden()
        view.get_by_role("button", name="Keep beside").click()
        expect(second.locator(".nk-title")).to_have_text("Layer 2, neuron 5")


def test_a_unit_stands_alone_in_a_frame(browser: Browser, base: str, axe: Path) -> None:
    with checks.visit(browser, base, "atlas.html") as seen:
        expect(
            seen.page.get_by_role("heading", name="All of them")
        ).to_be_visible()  # without an address nothing is hidden
    with checks.visit(browser, base, "atlas.html#L1N3") as seen:
        seen.page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
        seen.page.locator(".nk-share summary").click()
        seen.page.get_by_role("button", name="Copy frame").click()
        frame = seen.page.wait_for_function("window.copied").json_value()
        assert re.fullmatch(r'<iframe src="[^"]*#L1N3&amp;view=card" title="L1 N3"[^>]*></iframe>', frame)
    with checks.visit(browser, base, "atlas.html#L1N3&view=card", width=480) as seen:
        expect(seen.page.locator(".nk-title")).to_have_text("Layer 1, neuron 3")
        expect(seen.page.locator(".nk-card").first).to_be_visible()
        assert seen.page.locator("body > *:visible").count() == 1
        checks.check_fits_the_width(seen.page)
        link = seen.page.get_by_role("link", name="Open in the explorer")
        link.focus()
        assert str(link.get_attribute("href")).endswith("atlas.html#L1N3")
        checks.check_needs_no_network(seen)
        if base.startswith("http"):
            checks.check_accessible(seen.page, axe)
        seen.page.evaluate("location.hash = '#L1N3'")
        expect(seen.page.get_by_role("heading", name="All of them")).to_be_visible()
        expect(seen.page.get_by_role("button", name="Keep beside")).to_be_visible()


def test_a_named_neuron_leads_to_the_explorer_and_shows_a_card(browser: Browser, base: str, atlas: Atlas) -> None:
    with checks.visit(browser, base, "index.html") as seen:
        links = seen.page.locator("a.nbkit-neuron")
        expect(links).to_have_text(["L1 N3", "layer 2, neuron 5", "L0 N7"])
        card = seen.page.get_by_role("tooltip")
        for link, (layer, index) in zip(links.all(), ((1, 3), (2, 5), (0, 7)), strict=True):
            link.focus()
            clusters = atlas.neuron(layer, index).clusters()
            expect(card.locator(".nk-title")).to_contain_text(f"Layer {layer}, neuron {index}")
            noun = "cluster" if clusters.n_clusters == 1 else "clusters"
            expect(card).to_contain_text(f"in {clusters.n_clusters} {noun} of centered vectors")
            expect(card.locator("li")).to_have_count(min(clusters.n_clusters, 4))
            expect(link).to_have_attribute("aria-describedby", "nbkit-neuron-card")
        seen.page.keyboard.press("Escape")
        expect(card).to_be_hidden()
        links.first.hover()
        expect(card).to_be_visible()
        assert card.locator("script, img").count() == 0
        checks.check_fits_the_width(seen.page)
        links.first.click()
        expect(seen.page.locator(".nk-atlas .nk-title").first).to_have_text("Layer 1, neuron 3")
        checks.check_needs_no_network(seen)


def test_the_strongest_contexts_stand_beside_the_first_examples(browser: Browser, base: str, atlas: Atlas) -> None:
    neuron = max((each for layer in atlas.layers for each in atlas.iterate(layer)), key=len)
    with checks.visit(browser, base, f"atlas.html#L{neuron.layer}N{neuron.index}") as seen:
        strongest = seen.page.locator(".nk-strongest")
        strongest.locator("summary").click()
        lines = strongest.locator("li .nk-about").all_inner_texts()
        values = [float(re.search(r"activation ([\d.e+-]+),", line)[1]) for line in lines]  # type: ignore[index]
        assert values == pytest.approx(neuron.strongest.peak, rel=6e-3)
        labels = neuron.clusters().labels
        for line, example in zip(lines, neuron.strongest.example, strict=True):
            assert ("not among the first" in line) == (example < 0)
            if example >= 0:
                assert line.endswith(f"an example of cluster {labels[example] + 1}")
        checks.check_needs_no_network(seen)
