"""The figures of the page of Tables 2 and 3: what they draw, on results that are known."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes

from nbkit.studies.sae_tables.figures import course_of_the_loss, settings_tried
from nbkit.studies.shared.paper import PAPER_ROWS, STANDARD, WITH_LOSS
from tests.examples.figure_data import data_of
from tests.examples.tables import LATE, example_course, example_tables
from tests.figures.test_figures import drawn


def drawn_lines(ax: Axes) -> list[np.ndarray]:
    """The heights of the lines over several places."""
    lines = [np.asarray(line.get_ydata(), dtype=float) for line in ax.get_lines()]
    return [heights for heights in lines if len(heights) > 2]


def test_every_setting_is_a_line_of_ratios() -> None:
    figure = drawn(settings_tried(example_tables(late={"l0": 0.5}, stated={"l0": 0.4, "size": 0.25}, spread=0)))
    [ax] = figure.axes
    assert ax.get_yscale() == "log"
    lines = drawn_lines(ax)
    assert len(lines) == 3 + 3
    paper, stated, nearest = lines[-3:]
    assert paper == pytest.approx((PAPER_ROWS.loc[STANDARD] / PAPER_ROWS.loc[WITH_LOSS]).to_numpy())
    assert nearest == pytest.approx([1, 1, 0.5, 1, 1, 1, 1, 1])
    assert stated == pytest.approx([1, 1, 0.4, 1, 1, 1, 0.25, 1])
    assert nearest.tolist() in [line.tolist() for line in lines[:3]]
    np.testing.assert_allclose(data_of(figure).iloc[:, 1:], lines, rtol=1e-5)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["3 settings tried", "the paper's standard row", "start, m and sum as the paper states", "nearest"]
    assert [label.get_text() for label in ax.get_xticklabels()][2:4] == ["L0", "acc. loss"]


def test_ratios_far_below_stay_in_sight() -> None:
    found = example_tables(late={"dead": 0.0}, tried=(LATE,), spread=0)
    [ax] = drawn(settings_tried(found)).axes
    assert [len(drawn_lines(ax)), drawn_lines(ax)[-1][-1]] == [3, 0.02], "no stated setting, and no line to zero"


def test_the_course_marks_the_start_and_the_paper_s_level() -> None:
    found = example_tables()
    figure = drawn(course_of_the_loss(found, example_course()))
    l0, distance = figure.axes
    assert (l0.get_ylabel(), distance.get_ylabel()) == ("L0 / %", "mean dist")
    for ax, column in ((l0, "l0"), (distance, "mean_distance")):
        level, late, stated = ax.get_lines()
        assert list(np.asarray(level.get_ydata())) == [PAPER_ROWS.loc[WITH_LOSS, column]] * 2
        for line, start in ((late, 380), (stated, 200)):
            steps = np.asarray(line.get_xdata())
            assert steps[np.asarray(line.get_markevery(), dtype=int)].tolist() == [start]
        assert late.get_linestyle() != stated.get_linestyle(), "lines differ by more than their color"
    data = data_of(figure)
    assert data.columns.tolist() == ["λ₂", "step at which the loss starts", "step", "L0 / %", "mean dist"]
    assert data.loc[data["λ₂"] == 0.008, "L0 / %"].tolist() == pytest.approx(list(l0.get_lines()[1].get_ydata()))
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["the paper's row with the loss", "λ₂ = 0.008, start 380", "λ₂ = 0.005, start 200"]
