"""The explorer of an atlas of images in a browser: pixels and boxes where they belong, by mouse, keyboard and ear."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, expect

from nbkit.atlas.atlas import Atlas
from nbkit.book.neuron_links import write_neuron_links
from nbkit.explorers import DendrogramExplorer
from nbkit.explorers.atlas.shard_files import site_folder
from nbkit.explorers.mount import mount_point, state_of, write_explorers
from tests.browser import page_checks as checks
from tests.examples import pictures
from tests.examples.explorer_page import write_page

DESCRIBED = re.compile(r"image (\d+), label (\d+)(?:, patch at rows (\d+) to (\d+), columns (\d+) to (\d+))?")
PIXELS = "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
DRAWN = "e => e.querySelector('canvas').getContext('2d').getImageData(0, 0, 1, 1).data[3] === 255"


@pytest.fixture(scope="module")
def base(gray_atlas: Atlas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page with the explorer of gray images, as a file."""
    folder = write_page(gray_atlas, tmp_path_factory.mktemp("page"))
    with checks.reached(folder, "file") as address:
        yield address


def pixels_of(canvas: Locator) -> np.ndarray:
    """(height, width, 4) bytes."""
    height, width = (int(canvas.get_attribute(side) or 0) for side in ("height", "width"))
    return np.array(canvas.evaluate(PIXELS), dtype=np.uint8).reshape(height, width, 4)


def check_frame(frame: Locator, atlas: Atlas) -> re.Match[str]:
    """A frame that is seen holds the pixels of the image that it names."""
    frame.scroll_into_view_if_needed()
    frame.page.wait_for_function(DRAWN, arg=frame.element_handle())
    found = DESCRIBED.fullmatch(frame.get_attribute("aria-label") or "")
    assert found and atlas.images is not None
    shown = pixels_of(frame.locator("canvas"))
    expected = atlas.images[int(found[1])][..., None]
    assert np.array_equal(shown[..., :3], np.repeat(expected, 3, axis=2)) and (shown[..., 3] == 255).all()
    return found


def check_picture(picture: Locator, atlas: Atlas) -> tuple[int, tuple[int, ...]]:
    """What a picture says it is of is on its canvas, in its box and, enlarged, beside it. Returns image and box."""
    frame = picture.locator(".nk-frame")
    found = check_frame(frame, atlas)
    context, label = int(found[1]), int(found[2])
    assert label == pictures.LABELS[context] and picture.locator(".nk-caption").inner_text() == str(label)
    if found[3] is None:
        expect(picture.locator(".nk-patch, .nk-outline")).to_have_count(0)
        return context, ()
    top, bottom, left, right = int(found[3]), int(found[4]) + 1, int(found[5]), int(found[6]) + 1
    patch = pixels_of(picture.locator(".nk-patch"))
    assert atlas.images is not None and np.array_equal(patch[..., 0], atlas.images[context, top:bottom, left:right])
    whole, box = frame.bounding_box(), picture.locator(".nk-outline").bounding_box()
    assert whole and box
    down, across = whole["height"] / pictures.HEIGHT, whole["width"] / pictures.WIDTH
    assert (box["x"] - whole["x"], box["y"] - whole["y"]) == pytest.approx((left * across, top * down), abs=0.6)
    assert (box["width"], box["height"]) == pytest.approx(((right - left) * across, (bottom - top) * down), abs=0.6)
    return context, (top, left, bottom, right)


def test_examples_are_their_images_with_what_the_unit_sees(base: str, browser: Browser, gray_atlas: Atlas) -> None:
    neuron = gray_atlas.neuron(0, 1)
    boxes = gray_atlas.boxes(0)
    assert boxes is not None and len(neuron) > 2
    known = {int(c): tuple(boxes[p].tolist()) for c, p in zip(neuron.context, neuron.position, strict=True)}
    with checks.visit(browser, base, "page.html#L0N1") as seen:
        view = seen.page.locator(checks.ATLAS)
        cards = view.locator(".nk-card .nk-picture")
        for picture in cards.all()[:4]:
            context, box = check_picture(picture, gray_atlas)
            assert known[context] == box
        medoid = int(neuron.clusters().medoids[0])
        assert int(neuron.context[medoid]) == check_picture(cards.first, gray_atlas)[0], "it comes first"
        for place in (".nk-peek", ".nk-row"):
            check_frame(view.locator(f"{place} .nk-frame").first, gray_atlas)
        for fold in (".nk-similar > summary", ".nk-strongest > summary", "text=Images at lower activation"):
            view.locator(fold).first.click()
        for part in (".nk-similar", ".nk-strongest", ".nk-band"):
            check_frame(view.locator(f"{part} .nk-frame").first, gray_atlas)
        text = view.inner_text()
        assert "what the unit sees" in text and not re.search("token|context|word|text", text, re.IGNORECASE)
        assert view.get_by_role("searchbox").get_attribute("placeholder") == "S0 #123, or a label"
        checks.check_needs_no_network(seen)
        assert seen.page.evaluate("window.shifted") < checks.MOST_SHIFT


@pytest.mark.parametrize("width", [1440, 390])
def test_one_unit_alone_shows_its_images(
    width: int, tmp_path: Path, browser: Browser, gray_atlas: Atlas, axe: Path
) -> None:
    name, neuron = "DendrogramExplorer", gray_atlas.neuron(0, 1)
    write_explorers(tmp_path, [name])
    head = f'<meta charset="utf-8"><title>Unit</title><link rel="stylesheet" href="{name}.css">'
    script = f'<meta name="viewport" content="width=device-width"><script src="{name}.js" defer></script>'
    body = mount_point(name, state_of(DendrogramExplorer(neuron)), tmp_path, "")
    page = f'<!doctype html><html lang="en">{head}{script}<main><h1>Unit</h1>{body}</main>'
    (tmp_path / "unit.html").write_text(page, encoding="utf-8")
    with checks.visit(browser, tmp_path.as_uri() + "/", "unit.html", width=width) as seen:
        view = seen.page.locator(".nk-dendrogram")
        shown = [check_picture(picture, gray_atlas) for picture in view.locator(".nk-card .nk-picture").all()]
        boxes = gray_atlas.boxes(0)
        assert boxes is not None and len(neuron) > 1
        known = {int(c): tuple(boxes[p].tolist()) for c, p in zip(neuron.context, neuron.position, strict=True)}
        assert dict(shown) == known
        leaf = view.locator(".nk-leaves rect").last
        leaf.hover(position={"x": 5, "y": 160})  # below the handle
        described = str(leaf.get_attribute("aria-label")).partition(", ")[2]
        expect(view.locator(".nk-peek .nk-frame")).to_have_attribute("aria-label", described)
        check_frame(view.locator(".nk-peek .nk-frame"), gray_atlas)
        assert not re.search("token|context|word|text", view.inner_text(), re.IGNORECASE)
        checks.check_fits_the_width(seen.page)
        checks.check_needs_no_network(seen)
        checks.check_accessible(seen.page, axe, ".nk-dendrogram")


def test_labels_are_found_units_compared_and_the_whole_image_shown(
    base: str, browser: Browser, gray_atlas: Atlas
) -> None:
    active = [row.index for row in gray_atlas.neurons.itertuples() if row.layer == 1 and row.n_examples > 1]
    with checks.visit(browser, base, f"page.html#L1N{active[0]}&with=L0N1&find=3", width=1440) as seen:
        view = seen.page.locator(checks.ATLAS)
        check_picture(view.locator(".nk-neuron").first.locator(".nk-card .nk-picture").first, gray_atlas)
        check_picture(view.locator(".nk-second .nk-card .nk-picture").first, gray_atlas)
        in_common = re.compile(r"have (\d+ images?|no image) in common, and .* labels?")
        expect(view.locator(".nk-common")).to_have_text(in_common)
        expect(view.locator(".nk-found [role=status]")).to_have_text(re.compile(r"“3”: \d+ features?"))
        check_frame(view.locator(".nk-row .nk-frame").first, gray_atlas)
        checks.check_needs_no_network(seen)


def test_pictures_are_walked_by_keys_and_point_at_the_tree(base: str, browser: Browser) -> None:
    with checks.visit(browser, base, "page.html#L0N1") as seen:
        page = seen.page
        pictured = page.locator(".nk-card").first.get_by_role("option")
        pictured.first.focus()
        in_line = pictured.evaluate_all("all => all.filter((e) => e.offsetTop === all[0].offsetTop).length")
        for key, place in {"ArrowRight": 1, "End": -1, "Home": 0}.items():
            page.keyboard.press(key)
            expect(pictured.nth(place)).to_be_focused()
            expect(pictured.nth(place)).to_have_attribute("aria-selected", "true")
        for key, place in {"ArrowDown": min(in_line, pictured.count() - 1), "ArrowUp": 0}.items():
            page.keyboard.press(key)
            expect(pictured.nth(place)).to_be_focused()
        described = pictured.first.locator(".nk-frame").get_attribute("aria-label")
        expect(page.locator(".nk-peek .nk-frame")).to_have_attribute("aria-label", str(described))
        expect(page.locator(".nk-peek .nk-about")).to_have_text(re.compile(rf"Cluster 1 · {described} · activation "))
        expect(page.locator(".nk-leaves .nk-marked")).to_have_attribute("aria-label", f"Cluster 1, {described}")


@pytest.mark.parametrize("idle", [True, False])
def test_pictures_that_nobody_saw_are_printed(idle: bool, base: str, browser: Browser) -> None:
    """They are drawn when the browser has nothing else to do, or else when it prints."""
    context = browser.new_context(viewport={"width": 1440, "height": 300})
    page = context.new_page()
    if not idle:
        page.add_init_script("window.requestIdleCallback = () => {}")
    page.goto(base + "page.html#L0N1")
    frames = page.locator(".nk-card > ol .nk-frame")
    expect(frames.first).to_be_attached()
    expect(frames.last).not_to_be_in_viewport()
    if not idle:
        page.wait_for_timeout(500)
        assert not frames.last.evaluate(DRAWN), "nothing drew it"
        page.pdf()
    for frame in frames.all():
        page.wait_for_function(DRAWN, arg=frame.element_handle())
    expect(frames.last).not_to_be_in_viewport()
    page.emulate_media(media="print")
    body = page.locator(".nk-detail-body").bounding_box()
    last = frames.last.bounding_box()
    assert body and last and last["y"] + last["height"] < body["y"] + body["height"], "it is not scrolled away on paper"
    context.close()


@pytest.mark.parametrize("width", [1440, 390])
def test_pictures_fit_and_keep_nobody_out(width: int, base: str, browser: Browser, axe: Path) -> None:
    with checks.visit(browser, base, "page.html#L0N1", width=width) as seen:
        view = seen.page.locator(checks.ATLAS)
        expect(view.locator(".nk-card .nk-picture").first).to_be_visible()
        checks.check_fits_the_width(seen.page)
        checks.check_needs_no_network(seen)  # axe-core reads the style sheets again, which a file may not
        checks.check_accessible(seen.page, axe)
        seen.page.emulate_media(color_scheme="dark")
        checks.check_accessible(seen.page, axe, rules=checks.RULES_OF_COLOR)


def write_naming_page(atlas: Atlas, folder: Path, text: str) -> None:
    """The explorer's page, and `other.html`, which names units as a page of a book does."""
    notebooks = folder / "notebooks"
    notebooks.mkdir(parents=True)
    (notebooks / "page.ipynb").write_text(f'"{site_folder(atlas)}/"', encoding="utf-8")
    write_page(atlas, folder)
    write_neuron_links(folder, notebooks, atlas)
    head = '<meta name="viewport" content="width=device-width"><script src="neuron-links.js"></script>'
    other = f'<!doctype html><html lang="en"><meta charset="utf-8">{head}<article><p>{text}</p></article>'
    (folder / "other.html").write_text(other, encoding="utf-8")


@pytest.mark.parametrize("width", [1440, 390])
def test_a_card_shows_the_images_of_a_unit_that_a_page_names(
    width: int, tmp_path: Path, browser: Browser, gray_atlas: Atlas
) -> None:
    write_naming_page(gray_atlas, tmp_path, "S0 #1 and S1 (whole), unit 0")
    with checks.visit(browser, tmp_path.as_uri() + "/", "other.html", width=width) as seen:
        card = seen.page.get_by_role("tooltip")
        for link, unit in zip(seen.page.locator("a.nbkit-neuron").all(), ((0, 1), (1, 0)), strict=True):
            link.focus()
            neuron = gray_atlas.neuron(*unit)
            expect(card.locator(".nk-title")).to_contain_text(neuron.title)
            clusters = neuron.clusters()
            pictured = card.locator("li .nk-picture")
            expect(pictured).to_have_count(min(4, clusters.n_clusters))
            for picture, medoid in zip(pictured.all(), clusters.medoids, strict=False):
                assert check_picture(picture, gray_atlas)[0] == neuron.context[medoid]
            expect(link).to_have_accessible_description(re.compile(r"image \d+, label \d"))
            expect(card.locator(".nk-word, .nk-key")).to_have_count(0)
            checks.check_fits_the_width(seen.page)
        checks.check_needs_no_network(seen)


def test_a_card_of_numbered_images_has_no_word(tmp_path: Path, browser: Browser) -> None:
    write_naming_page(pictures.colored_atlas(tmp_path / "atlas"), tmp_path / "page", "S0 #1")
    with checks.visit(browser, (tmp_path / "page").as_uri() + "/", "other.html") as seen:
        seen.page.locator("a.nbkit-neuron").hover()
        card = seen.page.get_by_role("tooltip")
        frame = card.locator(".nk-frame").first
        seen.page.wait_for_function(DRAWN, arg=frame.element_handle())
        expect(card.locator(".nk-word, .nk-key")).to_have_count(0)
        assert re.fullmatch(r"image \d+", str(frame.get_attribute("aria-label")))


def test_images_without_labels_are_numbered_in_color(tmp_path: Path, browser: Browser) -> None:
    atlas = pictures.colored_atlas(tmp_path / "atlas")
    assert atlas.images is not None
    with checks.visit(browser, write_page(atlas, tmp_path / "page").as_uri() + "/", "page.html") as seen:
        picture = seen.page.locator(".nk-card .nk-picture").first
        expect(picture).to_be_visible()
        frame = picture.locator(".nk-frame")
        frame.scroll_into_view_if_needed()
        seen.page.wait_for_function(DRAWN, arg=frame.element_handle())
        context = int(str(frame.get_attribute("aria-label")).removeprefix("image "))
        assert np.array_equal(pixels_of(frame.locator("canvas"))[..., :3], atlas.images[context])
        assert picture.locator(".nk-caption").inner_text() == f"image {context}"
        assert seen.page.get_by_role("searchbox").get_attribute("placeholder") == "S0 #123"
        checks.check_needs_no_network(seen)
