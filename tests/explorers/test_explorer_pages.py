"""The latent and the Pareto explorer on a built page, used as a reader would: by mouse and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from nbkit.sae.sweep_columns import SWEEP_MEASURES
from tests.browser import page_checks as checks
from tests.examples.latents import DEAD, DIGITS, HIDDEN, HOSTILE_NAME, LATENTS, example_models
from tests.examples.sweep import example_sweep

MODELS = example_models()
METRICS = {"activating images": "n_examples", "dead": "dead", "mean distance": "mean_distance"}


@contextmanager
def opened(browser: Browser, book: Path, which: str, width: int = 1280) -> Iterator[Locator]:
    """An explorer of the small book's page; nothing may have gone wrong there in the end."""
    with checks.visit(browser, book.as_uri() + "/", "explorer.html", width=width) as seen:
        view = seen.page.locator(which)
        expect(view.locator("svg").first).to_be_visible()
        yield view
        checks.check_needs_no_network(seen)


@contextmanager
def latents_of(browser: Browser, book: Path) -> Iterator[Locator]:
    """The latent explorer with its second view chosen."""
    with opened(browser, book, checks.LATENTS) as view:
        view.get_by_label("Model").select_option(HOSTILE_NAME)
        yield view


def expect_unit(view: Locator, unit: int) -> None:
    """A latent is open, wherever that shows."""
    expect(view.locator(".nk-unit > .nk-title")).to_have_text(f"{HOSTILE_NAME}, latent {unit}")
    expect(view.get_by_role("spinbutton", name="Latent")).to_have_value(str(unit))
    expect(view.locator(".nk-row[aria-selected=true]")).to_have_attribute("data-unit", str(unit))
    expect(view.get_by_role("region", name="Feature clusters").locator(".nk-title")).to_contain_text(f"Latent {unit}:")


def order_of(view: Locator) -> list[int]:
    """The units in the order in which they are listed."""
    return [int(unit) for unit in view.locator(".nk-row").evaluate_all("all => all.map((e) => e.dataset.unit)")]


def ink_of(view: Locator) -> np.ndarray:
    """The pixels on the pad, in [0, 1]."""
    get = "c => [...c.getContext('2d').getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 3)"
    return np.array(pad_of(view).evaluate(get)) / 255


def pad_of(view: Locator) -> Locator:
    return view.get_by_role("application")


def expect_answers(view: Locator, pixels: np.ndarray) -> None:
    """The latents and the digit that are named are those of an image."""
    mlp, encoder = MODELS.mlp, MODELS.views[1].encoder
    assert encoder
    hidden = np.maximum((pixels - mlp.mean) / mlp.std @ mlp.w_in + mlp.b_in, 0)
    latents = np.maximum(hidden @ encoder[0] + encoder[1], 0)
    said = view.locator(".nk-try").get_by_role("status")
    expect(said.nth(0)).to_contain_text(f"The MLP reads a {(hidden @ mlp.w_out + mlp.b_out).argmax()} ")
    expect(said.nth(1)).to_contain_text(f"{np.count_nonzero(latents)} of the {LATENTS} latents answer")
    strongest = np.argsort(-latents)[: np.count_nonzero(latents)][:12]
    names = view.locator(".nk-try .nk-link").all_inner_texts()
    assert names == [f"latent {j}" for j in strongest]


def test_a_view_is_chosen_and_its_name_is_text(browser: Browser, mini_book: Path) -> None:
    with opened(browser, mini_book, checks.LATENTS) as view:
        expect(view.locator(".nk-unit > .nk-title")).to_have_text("Hidden layer, neuron 0")
        assert order_of(view) == list(range(HIDDEN))
        view.get_by_label("Model").select_option(HOSTILE_NAME)
        expect_unit(view, DEAD + 1)  # the first that has something to show
        assert order_of(view) == list(range(LATENTS))
        expect(view.locator(".nk-tools .nk-status")).to_have_text("latent 1: 2 of 24 by number, smallest first")
        assert view.locator("script, b > i").count() == 0
        assert view.evaluate("() => window.hacked === undefined")


def test_a_unit_is_found_by_number_by_the_buttons_and_at_random(browser: Browser, mini_book: Path) -> None:
    with latents_of(browser, mini_book) as view:
        number = view.get_by_role("spinbutton", name="Latent")
        for typed, unit in {"7": 7, "999": LATENTS - 1, "-5": 0, "": 0}.items():
            number.fill(typed)
            number.press("Enter")
            number.blur()
            expect_unit(view, unit)
        view.get_by_role("button", name="Previous").click()
        expect_unit(view, LATENTS - 1)
        view.get_by_role("button", name="Next").click()
        expect_unit(view, 0)
        view.page.evaluate("Math.random = () => 0.5")
        view.get_by_role("button", name="Random").click()
        expect_unit(view, LATENTS // 2)


def test_units_are_sorted_by_each_metric(browser: Browser, mini_book: Path) -> None:
    with latents_of(browser, mini_book) as view:
        by = view.get_by_label("Sort by")
        assert by.locator("option").all_inner_texts() == ["number", *METRICS]
        for label, column in METRICS.items():
            values = MODELS.views[1].metrics[column].to_numpy(float)
            by.select_option(label)
            down = np.lexsort((np.arange(LATENTS), -values)).tolist()  # NumPy puts NaN last
            assert order_of(view) == down
            view.get_by_role("button", name="turn the order around").click()
            up = np.lexsort((np.arange(LATENTS), values)).tolist()
            assert order_of(view) == up

        view.get_by_role("spinbutton", name="Latent").fill(str(up[0]))
        view.get_by_role("spinbutton", name="Latent").press("Enter")
        view.get_by_role("button", name="Next").click()
        expect_unit(view, up[1])
        expect(view.locator(".nk-tools .nk-status")).to_contain_text(f"latent {up[1]}: 2 of {LATENTS} by mean distance")


def test_the_list_is_walked_by_mouse_and_by_keyboard(browser: Browser, mini_book: Path) -> None:
    with latents_of(browser, mini_book) as view:
        rows = view.get_by_role("listbox", name="All latents").get_by_role("option")
        rows.nth(4).click()
        expect_unit(view, 4)
        columns = view.locator(".nk-list").evaluate("e => getComputedStyle(e).gridTemplateColumns.split(' ').length")
        for key, unit in {"ArrowRight": 5, "ArrowDown": 5 + columns, "ArrowUp": 5, "Home": 0, "End": 23}.items():
            view.page.keyboard.press(key)
            expect_unit(view, unit)
            expect(rows.nth(unit)).to_be_focused()
            expect(rows.nth(unit)).to_be_in_viewport()


def test_a_unit_that_nothing_activates_says_so(browser: Browser, mini_book: Path) -> None:
    with latents_of(browser, mini_book) as view:
        view.get_by_role("spinbutton", name="Latent").fill(str(DEAD))
        view.get_by_role("spinbutton", name="Latent").press("Enter")
        expect(view.get_by_text("no test image activates it, so there are no feature clusters")).to_be_visible()
        expect(view.get_by_text("No test image activates it.")).to_be_visible()
        expect(view.locator(".nk-tiles > div", has_text="mean distance").locator("dd")).to_have_text("–")
        assert view.locator(".nk-card").count() == 0


def test_an_example_goes_on_the_pad(browser: Browser, mini_book: Path) -> None:
    with latents_of(browser, mini_book) as view:
        view.page.set_viewport_size({"width": 1280, "height": 450})  # the pad and the examples are never both in sight
        examples = view.locator(".nk-card").nth(1).get_by_role("option")
        for place, key in enumerate([None, "Enter"]):
            example = examples.nth(place)
            example.press(key) if key else example.click()
            found = re.fullmatch(
                r"Test image (\d+), digit (\d), activation ([\d.]+)", example.get_attribute("aria-label") or ""
            )
            assert found
            image = int(found[1])
            assert int(found[2]) == MODELS.labels[image]
            assert float(found[3]) == pytest.approx(MODELS.latents[image, 1], rel=6e-3)
            expect(view.get_by_text(f"Test image {image}, labeled {found[2]}")).to_be_visible()
            expect(pad_of(view)).to_be_in_viewport(ratio=0.9)
            expect(view.get_by_text(f"latent 1 answers with {found[3]}")).to_be_visible()
            expect(view.locator(".nk-example[aria-selected=true]")).to_have_count(1)
            assert np.allclose(ink_of(view), MODELS.images[image])
            expect_answers(view, MODELS.images[image])


def test_examples_and_clusters_unfold(browser: Browser, mini_book: Path) -> None:
    with latents_of(browser, mini_book) as view:
        sizes = [int(np.count_nonzero(labels == 0)) for labels in MODELS.views[1].clusters]
        unit = sizes.index(max(sizes))
        assert sizes[unit] > 12
        view.get_by_role("spinbutton", name="Latent").fill(str(unit))
        view.get_by_role("spinbutton", name="Latent").press("Enter")
        card = view.locator(".nk-card").first
        expect(card.get_by_role("option")).to_have_count(12)
        card.get_by_role("button", name=f"Show all {sizes[unit]}").press("Enter")
        expect(card.get_by_role("option")).to_have_count(sizes[unit])
        fewer = card.get_by_role("button", name="Show fewer")
        expect(fewer).to_be_focused()
        fewer.press("Enter")
        expect(card.get_by_role("option")).to_have_count(12)

        view.get_by_label("Model").select_option("Hidden layer")
        cards = view.locator(".nk-card")
        expect(cards).to_have_count(6)
        view.get_by_role("button", name="more clusters").click()
        expect(cards).to_have_count(int(MODELS.views[0].clusters[0].max()) + 1)
        expect(cards.nth(6).get_by_role("option").first).to_be_focused()


def test_a_digit_is_picked_and_an_answer_followed(browser: Browser, mini_book: Path) -> None:
    with latents_of(browser, mini_book) as view:
        for digit in range(10):
            pick = view.get_by_role("button", name=f"Pick a test image of a {digit}")
            (expect(pick).to_be_enabled if digit in DIGITS else expect(pick).to_be_disabled)()
        images = np.flatnonzero(MODELS.labels == 7)
        for image in images[:2]:
            view.get_by_role("button", name="Pick a test image of a 7").click()
            expect(view.get_by_text(f"Test image {image}, labeled 7")).to_be_visible()
            expect_answers(view, MODELS.images[image])
        answer = view.locator(".nk-try .nk-link").first
        unit = int(MODELS.latents[image].argmax())
        expect(answer).to_have_text(f"latent {unit}")
        answer.click()
        expect_unit(view, unit)
        expect(answer).to_have_attribute("aria-current", "true")
        title = view.locator(".nk-unit > .nk-title")
        expect(title).to_be_focused()
        expect(title).to_be_in_viewport()


def drag(page: Page, canvas: Locator, *places: tuple[float, float]) -> None:
    """Draw through places, in pixels of the image (column, row)."""
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    for k, (x, y) in enumerate(places):
        page.mouse.move(box["x"] + x / 28 * box["width"], box["y"] + y / 28 * box["height"], steps=4)
        if k == 0:
            page.mouse.down()
    page.mouse.up()


def test_a_digit_is_drawn_by_mouse(browser: Browser, mini_book: Path) -> None:
    with latents_of(browser, mini_book) as view:
        view.get_by_role("button", name="Clear").click()
        expect(view.get_by_text("Empty pad")).to_be_visible()
        assert not ink_of(view).any()
        expect_answers(view, np.zeros(784))
        drag(view.page, pad_of(view), (6.5, 3.5), (6.5, 20.5))
        expect(view.get_by_text("Drawn by you")).to_be_visible()
        image = ink_of(view).reshape(28, 28)
        assert (image[4:20, 6] == 1).all() and not image[:, 9:].any() and not image[23:].any()
        expect_answers(view, image.ravel())
        drag(view.page, pad_of(view), (6.5, 4.5), (40, 4.5))  # out of the pad, the button still down
        assert (ink_of(view).reshape(28, 28)[4, 6:] == 1).all()
        view.page.mouse.move(300, 300)  # no ink without the button
        view.get_by_role("button", name="Center").click()
        moved = ink_of(view).reshape(28, 28)
        middle = [(moved.sum(axis) * (np.arange(28) + 0.5)).sum() / moved.sum() for axis in (0, 1)]
        assert np.abs(np.array(middle) - 14).max() < 1.5  # of what is left: ink at the edge can fall off
        expect_answers(view, moved.ravel())


def test_a_digit_is_drawn_by_keyboard(browser: Browser, mini_book: Path) -> None:
    with latents_of(browser, mini_book) as view:
        pad = pad_of(view)
        pad.press("Delete")
        expect(view.get_by_text("Empty pad")).to_be_visible()
        for _ in range(4):
            pad.press("ArrowUp")
        expect(view.get_by_text("Pen at row 11, column 15")).to_be_visible()
        assert not ink_of(view).any()
        pad.press(" ")
        assert np.count_nonzero(ink_of(view)) == 9
        for _ in range(6):
            pad.press("Shift+ArrowDown")
        image = ink_of(view).reshape(28, 28)
        assert (image[10:17, 14] == 1).all() and not image[20:].any()
        expect_answers(view, image.ravel())
        expect(pad).to_be_focused()
        pad.press("Tab")
        expect(view.get_by_role("button", name="Clear")).to_be_focused()


def test_pixels_of_a_map_are_read(browser: Browser, mini_book: Path) -> None:
    with latents_of(browser, mini_book) as view:
        figure = view.locator(".nk-map").first
        pixels, reading = figure.get_by_role("img"), figure.locator(".nk-reading")
        rest = reading.inner_text()
        assert re.fullmatch(r"−[\d.]+ to \+[\d.]+", rest)
        pixels.press("ArrowRight")
        expect(reading).to_contain_text("row 1, column 2: ")
        pixels.press("ArrowDown")
        expect(reading).to_contain_text("row 2, column 2: ")
        said = reading.inner_text().split(": ")[1].replace("−", "-")
        expected = MODELS.views[1].activation_maps[1]
        assert float(said) == pytest.approx(expected[29], abs=np.abs(expected).max() / 127)
        box = pixels.bounding_box()
        assert box
        view.page.mouse.move(box["x"] + box["width"] * 10.5 / 28, box["y"] + box["height"] * 3.5 / 28)
        expect(reading).to_contain_text("row 4, column 11: ")
        pixels.blur()
        view.page.mouse.move(0, 0)
        expect(reading).to_have_text(rest)


# the Pareto explorer

TABLE = example_sweep()


def marks_of(view: Locator) -> Locator:
    return view.get_by_role("listbox").get_by_role("option")


def test_both_axes_are_chosen(browser: Browser, mini_book: Path) -> None:
    with opened(browser, mini_book, checks.PARETO) as view:
        n = TABLE.groupby(["activation", "ne", "sparsity"]).ngroups
        plot = view.locator("svg[role=group]")
        expect(plot).to_have_attribute("aria-label", "mean distance against L0 / %")
        for name, measure in SWEEP_MEASURES.items():
            view.get_by_label("Up").select_option(name)
            expect(plot).to_have_attribute("aria-label", f"{measure.title} against L0 / %")
            expect(marks_of(view)).to_have_count(n)
            view.get_by_label("Across").select_option(name)
            expect(plot).to_have_attribute("aria-label", f"{measure.title} against {measure.title}")
            view.get_by_label("Across").select_option("l0")
        places = view.locator(".nk-marks > g").evaluate_all("all => all.map((e) => e.getAttribute('transform'))")
        numbers = [float(number) for place in places for number in re.findall(r"[\d.e+-]+", place.split("(")[1])]
        assert len(numbers) == 2 * n and np.isfinite(numbers).all()


def test_activations_are_switched_off_and_on(browser: Browser, mini_book: Path) -> None:
    with opened(browser, mini_book, checks.PARETO) as view:
        n = TABLE.groupby(["activation", "ne", "sparsity"]).ngroups
        relu, topk = (view.get_by_role("checkbox", name=name) for name in ("ReLU", "TopK"))
        marks_of(view).last.focus()
        topk.uncheck()
        expect(marks_of(view)).to_have_count(n // 2)
        expect(view.locator(".nk-about")).to_contain_text("Point at a mark")  # the marked one is gone
        relu.uncheck()
        expect(view.get_by_text("Nothing to show")).to_be_visible()
        topk.check()
        expect(marks_of(view)).to_have_count(n // 2)
        relu.check()
        expect(marks_of(view)).to_have_count(n)


def test_marks_are_read_by_mouse_and_by_keyboard(browser: Browser, mini_book: Path) -> None:
    with opened(browser, mini_book, checks.PARETO) as view:
        marks, about = marks_of(view), view.locator(".nk-about")
        marks.first.focus()
        for key, place in {"ArrowRight": 1, "ArrowDown": 2, "ArrowLeft": 1, "End": marks.count() - 1}.items():
            view.page.keyboard.press(key)
            expect(marks.nth(place)).to_be_focused()
            expect(about).to_have_text(marks.nth(place).get_attribute("aria-label") or "")
            expect(view.locator("[aria-selected=true]")).to_have_count(1)
        topmost = marks.last
        marks.first.focus()
        topmost.hover()
        expect(about).to_have_text(topmost.get_attribute("aria-label") or "")
        rows = TABLE[(TABLE["activation"] == "topk") & (TABLE["ne"] == 0.01) & (TABLE["sparsity"] == 16)]
        expect(about).to_contain_text("TopK, k 16, λ₂ 0.01: ")
        expect(about).to_contain_text(f"mean distance {rows['mean_distance'].mean():.3f} (")


def test_the_table_says_what_the_plot_shows(browser: Browser, mini_book: Path) -> None:
    with opened(browser, mini_book, checks.PARETO) as view:
        view.get_by_label("Across").select_option("mse")
        view.get_by_label("Up").select_option("dead")
        view.get_by_text("The same as a table").click()
        expect(view.locator("thead th")).to_have_text(["Autoencoder", "MSE", "dead latents / %"])
        rows = [row.split("\t") for row in view.locator("tbody").inner_text().splitlines()]
        names = marks_of(view).evaluate_all("all => all.map((e) => e.getAttribute('aria-label'))")
        assert len(rows) == len(names)
        for (name, mse, dead), said in zip(rows, names, strict=True):
            assert said == f"{name}: MSE {mse}; dead latents / % {dead}"


def test_the_plot_follows_the_width_of_the_page(browser: Browser, mini_book: Path) -> None:
    with opened(browser, mini_book, checks.PARETO) as view:
        marks_of(view).nth(3).focus()
        for width in (360, 900):
            view.page.set_viewport_size({"width": width, "height": 800})
            room = view.locator(".nk-plot").evaluate("e => e.clientWidth")
            expect(view.locator("svg[role=group]")).to_have_attribute("width", str(room))
            checks.check_fits_the_width(view.page)
        expect(marks_of(view).nth(3)).to_be_focused()
