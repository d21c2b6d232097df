"""An atlas's explorer as a site of its own: over http, as a file, below a path, two side by side, and bad input."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pandas as pd
import pytest
from playwright.sync_api import Browser, expect

import nbkit
from nbkit.atlas.atlas import Atlas
from nbkit.atlas.manifest import Manifest
from nbkit.errors import NbkitError
from nbkit.explorers.site import site
from nbkit.explorers.site.pages import Other, atlas_page
from nbkit.explorers.site.site import MARKER, write_site
from tests.browser import page_checks as checks
from tests.examples.atlas import MANIFEST, OF_LATENTS, example_atlas


@pytest.fixture(scope="module")
def sites(tiny_atlas: Callable[[str], Atlas], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder below which a site of one atlas stands, and one of two."""
    folder = tmp_path_factory.mktemp("sites") / "my pages"
    write_site(tiny_atlas("gpt2"), folder / "one", archive=True, progress=False)
    write_site([tiny_atlas("gpt2"), tiny_atlas("llama")], folder / "two", progress=False)
    return folder


def check(seen: checks.Visit, axe: Path) -> None:
    checks.check_needs_no_network(seen)
    width, window = seen.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= window
    seen.page.add_script_tag(path=axe)
    found = seen.page.evaluate("axe.run().then((all) => all.violations.map((v) => `${v.id}: ${v.nodes[0].html}`))")
    assert not found, found


@pytest.mark.parametrize("by", ["http", "file"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_site_opens_anywhere(
    by: Literal["http", "file"], width: int, scheme: Literal["light", "dark"], sites: Path, browser: Browser, axe: Path
) -> None:
    with (
        checks.reached(sites, by) as address,
        checks.visit(browser, address, "one/index.html#L1N3", width=width, scheme=scheme) as seen,
    ):
        page = seen.page
        expect(page.get_by_text("Layer 1, neuron 3").first).to_be_visible()
        expect(page.locator(".nk-atlas svg:visible").first).to_be_visible()
        assert page.locator("html").get_attribute("data-theme") == scheme
        check(seen, axe)
        page.get_by_role("button", name="Theme").click()
        assert page.locator("html").get_attribute("data-theme") != scheme


@pytest.mark.parametrize("by", ["http", "file"])
def test_two_atlases_stand_side_by_side_with_links_between(
    by: Literal["http", "file"], sites: Path, browser: Browser, axe: Path
) -> None:
    with checks.reached(sites, by) as address, checks.visit(browser, address, "two/index.html", width=1440) as seen:
        page = seen.page
        first, second = (page.frame_locator("iframe").nth(i) for i in (0, 1))
        for one in (first, second):
            expect(one.locator(".nk-row").first).to_be_visible()
        checks.check_needs_no_network(seen)
        page.frames[1].evaluate("location.hash = '#L1N2'")
        first.locator("a.other").click()
        expect(second.get_by_text("Layer 1, neuron 2").first).to_be_visible()
        page.set_viewport_size({"width": 390, "height": 800})
        expect(page.locator("iframe.shown")).to_have_count(1)
        page.locator("nav button").first.click()
        expect(page.locator("iframe").first).to_be_visible()
        expect(page.locator("iframe").nth(1)).to_be_hidden()
        page.add_script_tag(path=axe)
        assert not page.evaluate("axe.run({iframes: false}).then((all) => all.violations.map((v) => v.id))")


def test_each_of_two_is_a_page_that_links_to_the_other(sites: Path, browser: Browser) -> None:
    folders = sorted(path.name for path in (sites / "two").iterdir() if path.is_dir())
    assert len(folders) == 2
    with checks.visit(browser, sites.as_uri() + "/", f"two/{folders[0]}/index.html#L0N5") as seen:
        seen.page.locator("a.other").click()
        seen.page.wait_for_url(f"**/two/{folders[1]}/index.html#L0N5*")
        expect(seen.page.get_by_text("Layer 0, neuron 5").first).to_be_visible()


def test_a_page_says_what_its_atlas_is_of() -> None:
    alone = replace(OF_LATENTS, sites=OF_LATENTS.sites[:1], n_sites=1)
    for manifest, words in (
        (MANIFEST, "32 neurons of 2 of 6 layers, each"),
        (OF_LATENTS, "34 latents of 3 sites, each"),
        (replace(OF_LATENTS, sites=OF_LATENTS.sites[:1]), "20 latents of 1 of 3 sites, each"),
        (alone, "20 latents of 1 site, each"),
        (MANIFEST, "the contexts that activate it to at least 75% of\nits maximum."),
        (replace(MANIFEST, sign="negative"), "activate it below zero to at least 75% of\nits lowest activation."),
        (
            replace(MANIFEST, sign="both"),
            "it, above zero or below, to at least 75% of\nits activation farthest from zero.",
        ),
    ):
        assert words in atlas_page(manifest, "title", "", None)
    page = atlas_page(alone, "title", "", Other("other", "../b/index.html", alike=True))
    assert "the same latent in other" in page and not re.search("neuron(?! embedding|s.csv)|layer", page)


def test_a_page_says_what_clusters_the_examples() -> None:
    weighed, centered = (atlas_page(replace(MANIFEST, embedding=kind), "t", "", None) for kind in ("input", "centered"))
    assert "Its <em>neuron embeddings</em>, what it reads times its input weights, cluster them" in weighed
    assert "What it reads there, minus the mean of what all read, clusters them" in centered
    assert "{" not in weighed + centered and "minus the mean" not in weighed and "times its input" not in centered


def test_a_title_says_on_which_side_of_zero_an_atlas_is() -> None:
    titles = [
        site._Part(example_atlas([{}], replace(MANIFEST, sign=sign)), ".", names_embedding=False).title
        for sign in ("positive", "negative", "both")
    ]
    plain = "a-model on a-corpus"
    assert titles == [plain, f"{plain}, below zero", f"{plain}, above and below zero, by their absolute values"]


def test_a_latent_is_the_same_only_of_the_same_autoencoder() -> None:
    def alike(one: Manifest, other: Manifest) -> bool:
        return site._are_alike(*(example_atlas([{}], manifest) for manifest in (one, other)))

    first, *rest = OF_LATENTS.sites
    assert alike(OF_LATENTS, replace(OF_LATENTS, corpus="another")) and alike(MANIFEST, replace(MANIFEST, model="b"))
    for changed in (replace(first, sha256="0000"), replace(first, name="blocks.2.hook_resid_pre")):
        assert not alike(OF_LATENTS, replace(OF_LATENTS, sites=(changed, *rest)))


def test_the_archive_and_the_table_hold_all(sites: Path, tiny_atlas: Callable[[str], Atlas]) -> None:
    names = {name.removeprefix("one/") for name in zipfile.ZipFile(sites / "one.zip").namelist()}
    files = {path.relative_to(sites / "one").as_posix() for path in (sites / "one").rglob("*") if path.is_file()}
    assert names == files and {"index.html", "neurons.csv", MARKER} <= files
    table = pd.read_csv(sites / "one" / "neurons.csv")
    expected = tiny_atlas("gpt2").neurons
    pd.testing.assert_frame_equal(table, expected, check_dtype=False, rtol=1e-5)


def test_a_site_tells_no_place_of_this_machine(sites: Path) -> None:
    for path in (sites / "two").rglob("*"):
        if path.suffix in (".html", ".json", ".css") or path.name == "site.js":
            assert str(sites.parent.parent) not in path.read_text(encoding="utf-8"), path


def test_only_a_site_is_replaced(
    tiny_atlas: Callable[[str], Atlas], own_atlas: Callable[[str], Atlas], tmp_path: Path
) -> None:
    atlas = tiny_atlas("gpt2")
    out = tmp_path / "site"
    write_site([atlas, atlas], out, progress=False)
    write_site(atlas, out, progress=False)
    assert not any(path.is_dir() and path.name != "_static" for path in out.iterdir())
    mine = own_atlas("llama")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "other.zip").write_text("mine")
    for place in (mine.path, tmp_path, tmp_path / "file"):
        with pytest.raises(NbkitError, match="name a new folder"):
            write_site(mine, place, progress=False)
    with pytest.raises(NbkitError, match=r"other\.zip is there already"):
        write_site(mine, tmp_path / "other", archive=True, progress=False)
    assert nbkit.open_atlas(mine.path).manifest == mine.manifest
    assert not (tmp_path / "other").exists() and (tmp_path / "other.zip").read_text() == "mine"
    for wrong in ([], [atlas] * 3):
        with pytest.raises(NbkitError, match="one atlas or two"):
            write_site(wrong, tmp_path / "new", progress=False)


def test_a_full_disk_leaves_the_earlier_site(
    tiny_atlas: Callable[[str], Atlas], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    atlas, out = tiny_atlas("gpt2"), tmp_path / "site"
    write_site(atlas, out, progress=False)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(site, "write_explorers", full)
    with pytest.raises(NbkitError, match="No space left on device"):
        write_site(atlas, out, progress=False)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
    shutil.rmtree(out)


def test_two_embeddings_of_an_atlas_stand_side_by_side_each_cut_where_it_is_cut(
    own_atlas: Callable[[str], Atlas], tmp_path: Path, browser: Browser
) -> None:
    atlas = own_atlas("gpt2")
    centered = atlas.with_embedding("centered")
    cuts = [centered.cut(layer) for layer in centered.layers]
    assert len(set(cuts)) > 1 and 0.5 not in cuts
    page_file = write_site([atlas, centered], tmp_path / "site", progress=False)
    for title in ("gpt2 on random-0, neuron embedding", "gpt2 on random-0, centered vectors"):
        assert f">{title}</button>" in page_file.read_text(encoding="utf-8")
    with checks.reached(page_file.parent, "http") as address, checks.visit(browser, address, "index.html") as seen:
        _, second = (seen.page.frame_locator("iframe").nth(i) for i in (0, 1))
        expect(second.locator(".nk-row").first).to_be_visible()
        frame = seen.page.frames[2]
        for layer, index in ((0, 3), (2, 5), (1, 3)):
            frame.evaluate(f"location.hash = '#L{layer}N{index}'")
            expect(second.get_by_text(f"Layer {layer}, neuron {index}").first).to_be_visible()
            neuron = centered.neuron(layer, index)
            handle = second.locator(".nk-neuron").first.locator(".nk-dendrogram").get_by_role("slider")
            expect(handle.first).to_have_attribute("aria-valuenow", f"{cuts[layer]:g}")
            expect(second.locator(".nk-card")).to_have_count(neuron.clusters().n_clusters)
