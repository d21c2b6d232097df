"""The explorer of an atlas of latents, in a real browser: what is no neuron is not called one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from nbkit.atlas.atlas import Atlas
from nbkit.explorers.site.site import write_site
from nbkit.features.showcase import featured
from tests.browser import page_checks as checks
from tests.examples.latent_units import SIZES

POINT_AT_ALL = """
(plot) => {
  const { left, top, width, height } = plot.getBoundingClientRect();
  const middle = 46 + (width - 46 - 8) / 2; // of what lies between the edges
  const said = [];
  for (let x = 0; x < width; x += 8) {
    for (let y = 0; y < height; y += 8) {
      plot.dispatchEvent(new PointerEvent("pointermove", { clientX: left + x, clientY: top + y }));
      if (Math.abs(x - middle) > 12) said.push([plot.nextSibling.textContent, x > middle]);
    }
  }
  return said;
}
"""
SECOND = "S1 (blocks.0.mlp.hook_in), latent 2"


@pytest.fixture(scope="module")
def site(latents_atlas: Atlas, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "html"
    write_site(latents_atlas, folder, progress=False)
    return folder


def ask(view: Locator, text: str) -> None:
    view.get_by_role("searchbox").fill(text)
    view.get_by_role("searchbox").press("Enter")


def open_second(view: Locator) -> None:
    """Open a latent of the second site by typing its name."""
    ask(view, "S1 #2")
    expect(view.locator(".nk-neuron .nk-title")).to_have_text(SECOND)


def said(page: Page) -> str:
    """All that the page shows, and what it says to a screen reader or who points at something."""
    texts: list[str] = page.evaluate(
        "[...document.querySelectorAll('body, [aria-label], [placeholder], [title]')]"
        ".flatMap((e) => [e === document.body ? e.innerText : '', e.ariaLabel, e.placeholder, e.title])"
    )
    return "\n".join(filter(None, texts))


def test_latents_are_listed_found_and_linked_by_their_names(browser: Browser, site: Path, latents_atlas: Atlas) -> None:
    with checks.served(site) as base, checks.visit(browser, base, "index.html") as seen:
        page, view = seen.page, seen.page.locator(checks.ATLAS)
        expect(page.locator("header")).to_contain_text(f"{sum(SIZES)} latents of 2 sites, each with its")
        rows = view.get_by_role("listbox", name="Latents").get_by_role("option")
        expect(rows.first).to_contain_text(re.compile(r"^S[01] #\d+"))
        expect(view.locator(".nk-choice .nk-status")).to_contain_text(f" of {sum(SIZES)} latents")
        open_second(view)
        expect(page).to_have_url(re.compile("#L1N2$"))
        tile = view.locator(".nk-tiles > div").filter(has=page.get_by_text("examples", exact=True)).locator("dd")
        expect(tile).to_have_text(str(len(latents_atlas.neuron(1, 2))))
        ask(view, "s0#19")
        expect(view.locator(".nk-neuron .nk-title")).to_have_text("S0 (blocks.1.hook_resid_post), latent 19")
        page.go_back()
        expect(view.locator(".nk-neuron .nk-title")).to_have_text(SECOND)
        ask(view, "S1 #9")
        expect(view.locator(".nk-found").get_by_role("status")).to_have_text(
            "There is no S1 #9 in this atlas: it holds sites S0 to S1, of S1 (blocks.0.mlp.hook_in) latents 0 to 8."
        )
        checks.check_needs_no_network(seen)


def test_only_latents_that_write_into_the_stream_promote_tokens(
    browser: Browser, site: Path, latents_atlas: Atlas
) -> None:
    effects = latents_atlas.neuron(0, 17).logit_effects
    assert effects is not None and latents_atlas.neuron(1, 2).logit_effects is None
    with checks.served(site) as base, checks.visit(browser, base, "index.html#L0N17") as seen:
        view = seen.page.locator(checks.ATLAS)
        values = view.get_by_role("list", name="Tokens it promotes").locator(".nk-value").all_inner_texts()
        assert np.array(values, dtype=float) == pytest.approx(effects.promoted, abs=0.006)
        open_second(view)
        expect(view.get_by_role("list", name="Tokens it promotes")).to_have_count(0)


def test_similar_features_are_of_the_same_site_and_of_others(browser: Browser, site: Path) -> None:
    with checks.served(site) as base, checks.visit(browser, base, "index.html#L1N2") as seen:
        view = seen.page.locator(checks.ATLAS)
        expect(view.get_by_label("Similar features by").locator("option")).to_have_text(
            [re.compile(r"neuron embedding \(\w+\)"), "the vector that it reads"]
        )
        similar = view.locator(".nk-similar").first
        similar.locator("summary").click()
        lists = similar.locator("[aria-live] > div")
        expect(lists.locator(".nk-part")).to_have_text(["at the same site", "at other sites"])
        expect(lists.nth(0).locator(".nk-link").first).to_have_text(re.compile(r"^S1 #\d · cluster \d+$"))
        expect(lists.nth(1).locator(".nk-link").first).to_have_text(re.compile(r"^S0 #\d+ · cluster \d+$"))
        lists.nth(1).get_by_role("button", name="compare").first.click()
        expect(view.locator(".nk-second .nk-title")).to_have_text(re.compile(r"^S0 \(blocks\.1\.hook_resid_post\), "))
        expect(seen.page).to_have_url(re.compile(r"#L1N2&with=L0N\d+$"))
        checks.check_needs_no_network(seen)


def test_the_map_has_a_column_for_each_site(browser: Browser, site: Path) -> None:
    with checks.served(site) as base, checks.visit(browser, base, "index.html") as seen:
        view = seen.page.locator(checks.ATLAS)
        view.get_by_text("The whole model, site by site").click()
        plot = view.get_by_role(
            "img", name=re.compile(r" of \d+ latents, site by site; the list holds the same latents")
        )
        found = {(said[:2], right) for said, right in plot.evaluate(POINT_AT_ALL) if said.startswith("S")}
        assert found == {("S0", False), ("S1", True)}


def test_notes_on_latents_travel(browser: Browser, site: Path, tmp_path: Path) -> None:
    with checks.served(site) as base, checks.visit(browser, base, "index.html#L1N2") as seen:
        view = seen.page.locator(checks.ATLAS)
        expect(view.get_by_label("Label")).to_be_hidden()  # no style of a book helps here
        view.get_by_role("button", name="Note", exact=True).click()
        view.get_by_label("Label").fill("brackets")
        view.get_by_role("button", name="Favorite").click()
        view.get_by_text("Favorites and notes: 1 latent").click()
        with seen.page.expect_download() as download:
            view.get_by_role("button", name="Export").click()
        expect(view.locator(".nk-shelf").get_by_role("status")).to_have_text("1 latent exported.")
        file = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
        kept = {"layer": 1, "neuron": 2, "favorite": True, "label": "brackets", "note": ""}
        assert file["neurons"] == [kept]
        path = tmp_path / "notes.json"
        path.write_text(json.dumps(file | {"neurons": [kept, kept | {"neuron": 9}]}), encoding="utf-8")
        view.get_by_label("File of notes").set_input_files(path)
        expect(view.locator(".nk-shelf").get_by_role("status")).to_contain_text("Entry 2 names no latent of this atlas")


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_no_word_is_of_neurons_and_all_fits(
    width: int, scheme: checks.Scheme, browser: Browser, site: Path, latents_atlas: Atlas, axe: Path
) -> None:
    shown = featured(latents_atlas)[0].neuron
    name = f"index.html#L{shown.layer}N{shown.index}"
    with checks.served(site) as base, checks.visit(browser, base, name, width=width, scheme=scheme) as seen:
        page, view = seen.page, seen.page.locator(checks.ATLAS)
        closed = page.locator("details:not([open], .nk-share) > summary:visible")
        while closed.count():
            closed.first.click()
        view.get_by_label("Color tokens by").select_option("importance")
        expect(view.get_by_text("It is not known for this latent: a page has")).to_be_visible()
        expect(view.locator(".nk-similar .nk-link").first).to_be_visible()
        checks.check_fits_the_width(page)
        checks.check_accessible(page, axe)
        words = said(page).replace("neuron embedding", "")
        assert "One to begin with. Chosen by" in words
        assert re.findall(r".{0,40}\b(?:neuron|layer|pre-MLP).{0,40}", words, re.IGNORECASE) == []
