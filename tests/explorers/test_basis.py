"""The basis explorer: what it sends to the browser, what it refuses, its matrix under Node.js, and how it is used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Locator, expect

from nbkit.errors import NbkitError
from nbkit.explorers import BasisExplorer
from nbkit.explorers.basis.basis import DISTANCE_STEPS, basis_data
from nbkit.explorers.mount import mount_point, state_of, write_explorers
from nbkit.explorers.shared.bundle import module_text
from tests.browser import page_checks as checks
from tests.browser.node import run_module

LABELS = np.repeat([7, 2, 9], [4, 3, 2])
N_PAIRS = 36
EPOCHS = (0, 4, 32)
BASIS = ".nk-basis"


def example_table() -> pd.DataFrame:
    """One space without a dictionary, and one whose behaviors come apart with training."""
    above = np.triu_indices(len(LABELS), 1)
    across = (LABELS[above[0]] != LABELS[above[1]]).astype(float)

    def row(space: str, epochs: int, unexplained: float, apart: float) -> dict[str, Any]:
        distances = (0.5 + apart * (across - 0.5)).astype(np.float32)
        numbers = {"auc": 0.5 + apart / 2, "ari": apart, "clusters": 3 if apart > 0.5 else 9}
        return {"space": space, "epochs": epochs, "unexplained": unexplained, **numbers, "distances": distances}

    learned = [row("features", e, u, a) for e, u, a in zip(EPOCHS, (0.9, 0.4, 0.1), (0.0, 0.25, 0.75), strict=True)]
    return pd.DataFrame([row("pre-MLP", 0, np.nan, 0.125), *learned])


def test_distances_are_sent_in_steps_and_each_space_says_its_rows() -> None:
    about, distances = basis_data(example_table(), LABELS, "a unit")
    assert about["sizes"] == [4, 3, 2] and about["name"] == "a unit"
    assert about["stages"] == [[0, 0.9], [4, 0.4], [32, 0.1]]
    assert about["spaces"] == [
        {"name": "pre-MLP", "learned": False, "rows": [0]},
        {"name": "features", "learned": True, "rows": [1, 2, 3]},
    ]
    assert about["numbers"][3] == [0.875, 0.75, 3]
    assert distances.shape == (4, N_PAIRS) and distances.dtype == np.uint8
    assert distances[3, 0] == round(0.125 * DISTANCE_STEPS) and distances[3, 3] == round(0.875 * DISTANCE_STEPS)


def test_rows_in_any_order_stand_by_their_stages() -> None:
    about, _ = basis_data(example_table()[::-1], LABELS)
    assert {space["name"]: space["rows"] for space in about["spaces"]} == {"features": [2, 1, 0], "pre-MLP": [3]}
    assert about["stages"] == [[0, 0.9], [4, 0.4], [32, 0.1]]


def test_what_is_farther_apart_than_one_is_one() -> None:
    far = pd.Series([np.full(N_PAIRS, 1.7)] * 4)
    table = example_table().assign(distances=far)
    assert (basis_data(table, LABELS)[1] == DISTANCE_STEPS).all()


def test_knobs_are_traits_that_refuse_what_is_not_there() -> None:
    explorer = BasisExplorer(example_table(), LABELS)
    assert (explorer.stage, explorer.space) == (2, "features")
    explorer.stage, explorer.space = 0, "pre-MLP"
    with pytest.raises(NbkitError, match="no stage 3: choose from 0 to 2"):
        explorer.stage = 3
    with pytest.raises(NbkitError, match="no space 'beauty' to show: choose one of pre-MLP, features"):
        explorer.space = "beauty"
    assert (explorer.stage, explorer.space) == (0, "pre-MLP")


@pytest.mark.parametrize(
    ("wrong", "labels", "message"),
    [
        (lambda t: t.drop(columns=["auc"]), LABELS, "lacks the columns auc"),
        (lambda t: t, LABELS[::2], "another number of distances than 5 examples have pairs, 10"),
        (lambda t: t, LABELS[[0, 4, 1, 5, 2, 6, 3, 7, 8]], "one behavior one after the other"),
        (lambda t: t, LABELS[:4], "two behaviors"),
        (lambda t: t[:0], LABELS[:0], "two behaviors"),
        (lambda t: t[:1], LABELS, "No row has a dictionary"),
        (lambda t: pd.concat([t, t[2:].assign(space="half")]), LABELS, "'half' has other stages"),
    ],
)
def test_what_is_no_unit_is_refused(wrong: Any, labels: np.ndarray, message: str) -> None:
    with pytest.raises(NbkitError, match=message):
        BasisExplorer(wrong(example_table()), labels)


def test_the_browser_s_matrix_is_that_of_the_distances() -> None:
    rng = np.random.default_rng(0)
    square = rng.integers(0, 256, (6, 6))
    square = np.triu(square, 1) + np.triu(square, 1).T
    pairs = square[np.triu_indices(6, 1)].tolist()
    script = f"""{module_text("basis/basis.js")}
const pairs = Uint8Array.from({json.dumps(pairs)});
console.log(JSON.stringify([[...squareOf(pairs, 6)], [...nearPixels([0, 255, 55])], meanDistances(pairs, [4, 2]),
  [0, 1, 32].map(passes)]));"""
    shown, pixels, means, said = json.loads(run_module(script))
    assert np.array_equal(np.reshape(shown, (6, 6)), square)
    assert pixels[3::4] == [255, 0, 200]
    same = np.repeat([0, 1], [4, 2])
    within = np.equal.outer(same, same)[np.triu_indices(6, 1)]
    assert means["within"] == pytest.approx(np.array(pairs)[within].mean() / DISTANCE_STEPS)
    assert means["between"] == pytest.approx(np.array(pairs)[~within].mean() / DISTANCE_STEPS)
    assert said == ["not at all", "1 pass", "32 passes"]


# on a page


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a page with two explorers."""
    folder = tmp_path_factory.mktemp("basis")
    write_explorers(folder, ["BasisExplorer"])
    explorer = BasisExplorer(example_table(), LABELS, "<b>a unit</b>")
    head = '<link rel="stylesheet" href="BasisExplorer.css"><script src="BasisExplorer.js" defer></script>'
    body = mount_point("BasisExplorer", state_of(explorer), folder, "") * 2
    text = f"<!doctype html><html lang=en data-theme=light><meta charset=utf-8><title>Basis</title>{head}<body>{body}"
    (folder / "page.html").write_text(text, encoding="utf-8")
    return folder


@contextmanager
def opened(browser: Browser, folder: Path, part: str = "", width: int = 1280) -> Iterator[tuple[Locator, Locator]]:
    """Both explorers; nothing may have gone wrong in the end."""
    with checks.visit(browser, folder.as_uri() + "/", f"page.html{part}", width=width) as seen:
        views = seen.page.locator(BASIS)
        expect(views).to_have_count(2)
        yield views.nth(0), views.nth(1)
        checks.check_fits_the_width(seen.page)
        checks.check_needs_no_network(seen)


def opacity(view: Locator) -> np.ndarray:
    """How near the examples are shown to be, (n, n) in steps."""
    get = "c => [...c.getContext('2d').getImageData(0, 0, 9, 9).data].filter((_, i) => i % 4 === 3)"
    return np.array(view.locator("canvas").evaluate(get)).reshape(9, 9)


def numbers(view: Locator) -> list[str]:
    return view.locator("dd").all_inner_texts()


def test_the_slider_changes_the_matrix_and_the_numbers(browser: Browser, page: Path) -> None:
    with opened(browser, page) as (view, other):
        slider = view.get_by_role("slider", name="How long the dictionary was trained")
        expect(slider).to_have_attribute("aria-valuetext", "32 passes")
        assert numbers(view) == ["0.875", "0.750", "3, true are 3", "0.13", "0.87"]
        shown = opacity(view)
        same = np.equal.outer(LABELS, LABELS)
        assert (shown[same & ~np.eye(9, dtype=bool)] == DISTANCE_STEPS - 32).all() and (
            shown[~same] == DISTANCE_STEPS - 223
        ).all()
        slider.press("Home")
        expect(slider).to_have_attribute("aria-valuetext", "not at all")
        expect(view.get_by_text("It leaves 90.0% of the variance unexplained.")).to_be_visible()
        assert numbers(view) == ["0.500", "0.000", "9, true are 3", "0.50", "0.50"]
        assert len(np.unique(opacity(view)[~np.eye(9, dtype=bool)])) == 1
        slider.press("ArrowRight")
        expect(view.get_by_text("It leaves 40.0% of the variance unexplained.")).to_be_visible()
        assert numbers(other)[1] == "0.750"
        label = view.get_by_role("img").get_attribute("aria-label")
        assert label == (
            "Distances of 9 examples of <b>a unit</b>, features: 0.38 on average within a behavior, 0.62 between two"
        )
        view.page.wait_for_function("location.hash === '#basis;stage=1'")


def test_a_space_is_chosen_by_mouse_and_by_keyboard(browser: Browser, page: Path) -> None:
    with opened(browser, page, width=390) as (view, other):
        view.get_by_role("radio", name="pre-MLP").check()
        assert numbers(view)[1] == "0.125"
        expect(view.get_by_text("This space has no use for it.")).to_be_visible()
        view.get_by_role("slider").press("Home")  # as it is without a dictionary
        assert numbers(view)[1] == "0.125"
        view.get_by_role("radio", name="pre-MLP").press("ArrowRight")
        assert numbers(view)[1] == "0.000"
        assert numbers(other)[1] == "0.750"
        expect(other.get_by_role("radio", name="features")).to_be_checked()


def test_an_address_and_a_file_say_what_is_shown(browser: Browser, page: Path) -> None:
    with opened(browser, page, "#basis;stage=length;space=nothing~basis2;stage=1;space=pre-MLP") as (view, other):
        assert numbers(view)[1] == "0.750"  # there is no such stage
        expect(other.get_by_role("radio", name="pre-MLP")).to_be_checked()
        expect(other.get_by_role("slider")).to_have_value("1")
        with other.page.expect_download() as found:
            other.get_by_role("button", name="Download CSV").click()
        read = pd.read_csv(found.value.path())
        assert read["ARI at 0.5"].tolist() == [0.125, 0, 0.25, 0.75]
        assert read["passes"].isna().tolist() == [True, False, False, False]
        other.get_by_text("All numbers as a table").click()
        assert other.locator("tbody tr").nth(3).inner_text().split() == [
            "features",
            "32",
            "0.100",
            "0.875",
            "0.750",
            "3",
        ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible(browser: Browser, page: Path, axe: Path, scheme: checks.Scheme) -> None:
    with (
        checks.served(page) as base,
        checks.visit(browser, base, "page.html") as seen,
    ):  # for axe-core
        view = seen.page.locator(BASIS).first
        view.page.evaluate("scheme => (document.documentElement.dataset.theme = scheme)", scheme)
        view.page.add_style_tag(content="[data-theme=dark] { --pst-color-background: #121212 }")
        view.get_by_text("All numbers as a table").click()
        checks.check_accessible(view.page, axe)
