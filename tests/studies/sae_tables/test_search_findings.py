"""How near the search comes to the paper's row with the loss: records whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nbkit.sae.config import SaeConfig
from nbkit.studies.sae_tables.search_findings import (
    MissedFigure,
    MissedPair,
    courses_after_start,
    figures_reached_together,
    stated_setting,
    with_loss_row,
)
from nbkit.studies.shared.change import Change
from nbkit.studies.shared.estimate import UNDEFINED
from tests.examples.tables import CONFIGS, LATE, LATENTS, STATED, example_course, example_tables


def test_the_row_with_the_loss() -> None:
    found = with_loss_row(example_tables())
    assert (found.n_settings, found.config) == (3, CONFIGS[LATE])
    assert found.factor.value == pytest.approx((1.2 / 0.9) ** (1 / 8))
    assert found.worst == "size" and found.worst_factor == pytest.approx(1.2)
    assert (found.n_figures, len(found.near), found.n_alike) == (8, 6, 8)
    assert found.near[:3] == ("L1", "L0", "acc. loss")


def test_a_figure_that_moves_the_other_way_is_counted() -> None:
    found = with_loss_row(example_tables(late={"l1": 0.7, "dead": 7.0}, stated={"mse": 1e3}))
    assert (found.worst, found.n_alike) == ("dead", 6) and found.worst_factor == pytest.approx(7)


def test_the_setting_that_the_paper_states() -> None:
    found = stated_setting(example_tables())
    assert found.tried and found.config == CONFIGS[STATED]
    assert found.factor == pytest.approx((2.5 * 2) ** (1 / 8))
    assert f"{found.l0:.1f%}; {found.paper_l0:.1f}%" == "3.6%; 9.1%"


def test_a_stated_setting_that_was_not_tried_has_no_figures() -> None:
    found = stated_setting(example_tables(tried=(LATE,)))
    assert not found.tried and found.config == SaeConfig()
    assert np.isnan(found.factor) and f"{found.l0:.1f}" == UNDEFINED


def test_the_course_after_the_start_has_its_peak_and_its_end() -> None:
    late, stated = courses_after_start(example_tables(), example_course())
    assert (late.ne, late.start, late.l0, late.highest_l0, late.highest_step) == (8e-3, 380, Change(3, 11), 11, 400)
    assert f"{late.mean_distance:.3f}" == "from 0.200 to 0.164"
    assert (stated.start, stated.l0, stated.highest_l0, stated.highest_step) == (200, Change(3, 3.5), 5, 300)


def test_what_cannot_be_had_together() -> None:
    tables = example_tables(late={"mse": 0.5}, stated={"l0": 2.0}, latents={"l0": 2.0, "mse": 2.0})
    found = figures_reached_together(tables)
    assert (found.most, found.n_figures, found.reached, found.n_seeds) == (7, 8, 1.1, 2)
    assert found.alone == ("MSE", "L1", "L0", "acc. loss", "max dist", "mean dist", "size", "dead")
    assert found.apart == (MissedPair("MSE", "L0", pytest.approx(2.0)),)
    assert found.missed == () and not found.every_pair


def test_what_no_setting_reaches_alone() -> None:
    away = {"l0": 0.5, "size": 3.0}
    tables = example_tables(late=away, stated=away, latents={"l0": 0.4, "size": 4.0}, spread=0)
    found = figures_reached_together(tables)
    assert found.most == len(found.alone) == 6
    assert found.missed == (MissedFigure("L0", pytest.approx(2.0)), MissedFigure("size", pytest.approx(3.0)))
    assert found.every_pair and found.apart == ()
    one_seed = replace(tables, tried=tables.tried[tables.tried["seed"] == 0])
    assert figures_reached_together(one_seed).n_seeds == 1


def test_a_single_figure_that_is_reached_makes_no_pair() -> None:
    away = dict.fromkeys(("mse", "l1", "l0", "accuracy_loss", "max_distance", "mean_distance", "size"), 2.0)
    found = figures_reached_together(example_tables(late=away, tried=(LATE,)))
    assert found.alone == ("dead",) and not found.every_pair and len(found.missed) == 7


@pytest.mark.parametrize("tried", [(STATED,), (LATE,), (STATED, LATENTS)])
def test_every_record_stands_for_every_search(tried: tuple[str, ...]) -> None:
    tables = example_tables(tried=tried)
    nearest, together = with_loss_row(tables), figures_reached_together(tables)
    assert nearest.n_settings == len(tried) and nearest.factor.value >= 1
    assert together.alone or together.missed
    assert stated_setting(tables).tried == (STATED in tried)
