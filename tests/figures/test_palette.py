"""The palette: legible on white, and the same in figures and explorers."""

import re
from pathlib import Path

import matplotlib.colors
import pytest

import nbkit.explorers
import nbkit.figures
from nbkit.figures.palette import ALONE, CLUSTER_COLORS, COLD, HEAT, INK, ON_DARK, QUIET, RULE, WHITE, cluster_color


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colors, 1 to 21 (WCAG 2.2)."""
    luminances = []
    for color in (one, other):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in matplotlib.colors.to_rgb(color)]
        luminances.append(sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True)))
    return (max(luminances) + 0.05) / (min(luminances) + 0.05)


@pytest.mark.parametrize("color", [*CLUSTER_COLORS, ALONE, INK, QUIET])
def test_text_and_lines_are_legible_on_white(color: str) -> None:
    assert contrast(color, "#ffffff") >= 4.5

    assert contrast(ON_DARK[color], ON_DARK[WHITE]) >= 4.5


@pytest.mark.parametrize("highlight", [HEAT, COLD])
def test_text_is_legible_on_the_brightest_highlight(highlight: str) -> None:
    assert contrast(INK, highlight) >= 4.5
    assert contrast(ON_DARK[INK], ON_DARK[highlight]) >= 4.5


def test_colors_differ_and_are_used_in_turn() -> None:
    assert len({*CLUSTER_COLORS, ALONE}) == 11
    assert cluster_color(0, 5) == cluster_color(10, 5) == CLUSTER_COLORS[0]
    assert cluster_color(3, 1) == ALONE


def test_explorers_have_the_same_colors_on_both_pages() -> None:
    sheet = Path(nbkit.explorers.__file__).parent.joinpath("shared/explorer.css").read_text(encoding="utf-8")
    pairs = dict(re.findall(r"--([\w-]+): light-dark\((#\w+, #\w+)\)", sheet))
    hues = [f"hue-{i}" for i in range(sum(name.startswith("hue-") for name in pairs))]
    names = dict(zip(hues, CLUSTER_COLORS, strict=True)) | {"alone": ALONE, "heat": HEAT, "ink": INK, "quiet": QUIET}
    assert {name: pairs[name] for name in names} == {
        name: f"{light}, {ON_DARK[light]}" for name, light in names.items()
    }


def test_the_style_draws_in_colors_that_a_dark_page_has() -> None:
    style = Path(nbkit.figures.__file__).with_name("book.mplstyle").read_text(encoding="utf-8")
    drawn = {f"#{color}" for color in re.findall(r"color: ([0-9a-f]{6})", style)}
    assert RULE in drawn and drawn <= ON_DARK.keys()
