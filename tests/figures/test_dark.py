"""Figures on dark pages: in other colors, laid out alike, and in the light ones again afterward."""

from __future__ import annotations

import base64
import re
from io import BytesIO

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import imread

from nbkit import figures
from nbkit.figures.dark import darkened, on_dark
from nbkit.figures.palette import CLUSTER_COLORS, INK, ON_DARK, WHITE
from nbkit.figures.style import BookFigure
from tests.figures.test_figures import FIVE, FakeNeuron, many_neurons


def shown_by(figure: BookFigure) -> tuple[list[np.ndarray], str]:
    """The pictures on a light and on a dark page, and the HTML that holds them."""
    html = figure._repr_mimebundle_()["text/html"]
    codes = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return [imread(BytesIO(base64.b64decode(code)), format="png")[..., :3] for code in codes], html


def luminance(picture: np.ndarray) -> np.ndarray:
    return np.asarray(picture @ (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize("name", ["tree", "distributions", "spaces", "illustration"])
def test_a_figure_is_dark_on_a_dark_page_and_legible(name: str) -> None:
    figure = {
        "tree": lambda: figures.cluster_dendrogram(FakeNeuron(FIVE)),
        "distributions": lambda: figures.metric_distributions(many_neurons()),
        "spaces": lambda: figures.compare_embedding_spaces(FakeNeuron(FIVE)),
        "illustration": lambda: figures.embedding_illustration(FakeNeuron(FIVE)),
    }[name]()
    assert isinstance(figure, BookFigure)
    (light, dark), _ = shown_by(figure)
    assert light.shape == dark.shape
    assert np.median(luminance(light)) > 0.99 and np.median(luminance(dark)) < 0.1
    # what is ink on one page is ink on the other, at the same place
    strong = luminance(light) < 0.15
    assert strong.sum() > 500
    if name == "tree":  # the others show maps of color, dark ones among them
        assert (luminance(dark)[strong] > 0.5).mean() > 0.95
        assert (luminance(dark) > 0.97).mean() < 0.001, "something white is left"
    again = shown_by(figure)[0]
    if name != "distributions":  # whose layout moves a little whenever it is drawn
        np.testing.assert_array_equal(again[0].mean(axis=(0, 1)).round(2), light.mean(axis=(0, 1)).round(2))


def test_colors_are_swapped_and_come_back() -> None:
    figure = Figure(layout="none")
    ax = figure.subplots()
    [line] = ax.plot([0, 1], color=CLUSTER_COLORS[0], marker="o", markerfacecolor="white")
    [bar] = ax.bar([0], [1], color=CLUSTER_COLORS[1], alpha=0.5)
    marks = ax.scatter([0, 1], [1, 0], c=[CLUSTER_COLORS[2], "red"], edgecolors="white")
    image = ax.imshow([[0.0, 1.0]], cmap="gray_r")
    badge = ax.annotate("1", (0, 0), color="white", bbox={"facecolor": INK})

    def colors() -> list[str]:
        box = badge.get_bbox_patch()
        assert box is not None
        found = [line.get_color(), line.get_markerfacecolor(), badge.get_color(), box.get_facecolor()]
        found += [*np.asarray(marks.get_facecolor()), *np.asarray(marks.get_edgecolor())]
        return [to_hex(color) for color in found]  # type: ignore[arg-type]

    before, half = colors(), bar.get_facecolor()
    with darkened(figure):
        assert colors() == [ON_DARK.get(color, color) for color in before]
        assert to_hex(marks.get_facecolor()[1]) == "#ff0000", "a color of the reader's own stays"
        assert to_hex(bar.get_facecolor()) == ON_DARK[CLUSTER_COLORS[1]] and bar.get_facecolor()[3] == half[3] == 0.5
        assert bar.get_edgecolor()[3] == 0, "an invisible edge stays so"
        assert image.get_cmap().name == "gray"
    assert colors() == before and bar.get_facecolor() == half and image.get_cmap().name == "gray_r"


def test_what_is_invisible_or_unknown_stays() -> None:
    assert on_dark("none") == "none" and on_dark("red") == "red"
    assert to_hex(on_dark("white")) == ON_DARK[WHITE]
    assert on_dark((1.0, 1.0, 1.0, 0.25))[3] == 0.25


def test_a_figure_says_what_it_shows() -> None:
    _, html = shown_by(figures.cluster_dendrogram(FakeNeuron(FIVE)))  # type: ignore[arg-type]
    said = re.findall(r'alt="([^"]*)"', html)
    assert len(said) == 2 and said[0] == said[1]
    assert said[0].startswith("Figure 2: the tree of a neuron&#x27;s examples, its clusters by color and number")
    assert said[0].endswith("Layer 7, neuron 123: 40 examples in 5 clusters")
