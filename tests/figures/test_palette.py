"""The palette: legible on white, and the same in figures and explorers."""

import re
from pathlib import Path

import matplotlib.colors
import pytest

import nbkit.explorers
from nbkit.figures.palette import ALONE, CLUSTER_COLORS, HEAT, INK, QUIET, cluster_color


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


def test_text_is_legible_on_the_brightest_highlight() -> None:
    assert contrast(INK, HEAT) >= 4.5


def test_colors_differ_and_are_used_in_turn() -> None:
    assert len({*CLUSTER_COLORS, ALONE}) == 11
    assert cluster_color(0, 5) == cluster_color(10, 5) == CLUSTER_COLORS[0]
    assert cluster_color(3, 1) == ALONE


def test_explorers_have_the_same_colors_on_a_light_page() -> None:
    sheet = Path(nbkit.explorers.__file__).parent.joinpath("shared/explorer.css").read_text(encoding="utf-8")
    light = dict(re.findall(r"--([\w-]+): light-dark\((#\w+),", sheet))
    hues = [light[f"hue-{i}"] for i in range(sum(name.startswith("hue-") for name in light))]
    assert len(hues) >= 8
    assert tuple(hues) == CLUSTER_COLORS[: len(hues)]
    assert (light["alone"], light["heat"], light["ink"], light["quiet"]) == (ALONE, HEAT, INK, QUIET)
