"""How near the standard row comes to the paper's, and what its distances are worth: records whose answer is known."""

from __future__ import annotations

import pytest

from nbkit.studies.sae_tables.findings import (
    distance_changes,
    fresh_seeds,
    least_examples_agreement,
    standard_row,
)
from nbkit.studies.shared.paper import PAPER_COLUMNS
from tests.examples.tables import example_tables


def test_a_standard_row_that_agrees() -> None:
    found = standard_row(example_tables())
    assert (found.n_figures, found.n_seeds, found.far) == (8, 4, ())
    assert found.near == ("MSE", "L1", "L0", "acc. loss", "max dist", "mean dist", "size", "dead")
    assert f"{found.mlp_accuracy:.2f%}" == "94.00%"


def test_a_standard_row_that_does_not() -> None:
    found = standard_row(example_tables(standard={"l0": 0.9, "dead": 1.1}))
    assert found.near == ("MSE", "L1", "acc. loss", "max dist", "mean dist", "size")
    # the deviation is 0.9 * 1.155% of the paper's, and the mean 10% below
    assert [(gap.title, gap.side, gap.size) for gap in found.far] == [
        ("L0", "below", "9.6 standard deviations"),
        ("dead", "above", "7.9 standard deviations"),
    ]


def test_the_paper_s_rounding_counts_where_seeds_agree_more() -> None:
    found = standard_row(example_tables(standard={"mse": 1.012, "l1": 1.02}, spread=0))
    assert len(found.near) == 7 and "MSE" in found.near, "0.334 is 0.33"
    assert [(gap.title, gap.side, gap.size) for gap in found.far] == [("L1", "above", "52")], "2,652 is not 2,600"


def test_nothing_that_agrees() -> None:
    found = standard_row(example_tables(standard=dict.fromkeys(PAPER_COLUMNS, 2.0)))
    assert found.near == () and len(found.far) == 8 and {gap.side for gap in found.far} == {"above"}
    assert found.factor.value == pytest.approx(2)


def test_fresh_seeds_are_held_against_the_others() -> None:
    found = fresh_seeds(example_tables())
    assert (found.n_seeds, found.first, found.last, found.n_near) == (4, 100, 103, 7)
    # L0 is 10% higher than with the other seeds, and the other figures are the same
    away, more = (1.2 / 0.9) ** (1 / 8), 1.1 ** (1 / 8)
    assert (found.standard.before, found.standard.after) == pytest.approx((1, more))
    assert (found.with_loss.before, found.with_loss.after) == pytest.approx((away, away * more))


def test_the_least_number_of_examples_that_comes_nearest() -> None:
    tables = example_tables()
    found = least_examples_agreement(tables)
    assert (found.least, found.near) == (4, ("max dist", "mean dist", "size"))
    tables.rows[["max_distance_4", "mean_distance_4", "size_4"]] *= 2
    found = least_examples_agreement(tables)
    assert (found.least, found.near) == (5, ())


def test_distances_change_beside_their_controls() -> None:
    found = distance_changes(example_tables(late={}))
    assert f"{found.own:.3f} (times {found.own.times:.2f})" == "from 0.210 to 0.080 (times 0.38)"
    assert f"{found.other:.3f} (times {found.other.times:.2f})" == "from 0.250 to 0.200 (times 0.80)"
    assert f"{found.random:.3f} (times {found.random.times:.2f})" == "from 0.400 to 0.300 (times 0.75)"
    assert f"{found.participation:.1f}" == "from 16.0 to 8.0"
