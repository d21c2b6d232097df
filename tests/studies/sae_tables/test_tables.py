"""The tables of the page of Tables 2 and 3, on results that are known."""

from __future__ import annotations

import pytest

from nbkit.studies.sae_tables.tables import (
    by_start,
    distance_controls,
    hyperparameters,
    least_examples,
    nearest_settings,
    table_2,
    table_3,
)
from nbkit.studies.shared.paper import STANDARD, WITH_LOSS
from tests.examples.tables import LATE, LATENTS, STATED, example_tables


def test_tables_have_the_paper_s_rows_and_ours() -> None:
    found = example_tables()
    second, third = table_2(found).written, table_3(found).written
    assert list(second.index) == [f"{row}, {who}" for row in (STANDARD, WITH_LOSS) for who in ("paper", "this build")]
    assert list(second.columns) == ["MSE", "L1", "L0 / %", "acc. loss / %"]
    assert second.loc["+ NE loss, paper"].tolist() == ["0.55", "3,300", "9.1", "4.6"]
    assert third.loc["standard, paper"].tolist() == ["0.45", "0.21", "7", "23.8", ""]
    # four seeds, 1% below and above the mean by turns: a deviation of 1% times the square root of 4/3
    assert second.loc["standard, this build", "L1"] == "2,600 ± 30"
    assert third.loc["+ NE loss, this build", "size"] == "38.4 ± 0.4"
    assert third.loc["standard, this build", "never active / %"] == "11.9 ± 0.1"


def test_hyperparameters_are_those_of_the_configs() -> None:
    table = hyperparameters(example_tables()).written
    assert table.loc["λ₂"].tolist() == ["", "0", "0.008"]
    assert table.loc["steps without the loss"].tolist() == ["", "", "380"]
    assert table.loc["batch"].tolist() == ["64", "128", "128"]
    assert table.loc["optimizer"].tolist() == ["Adadelta", "Adam", "Adam"]
    assert table.loc["learning rate"].tolist() == ["0.12", "0.000875", "0.000875"]
    assert table.loc["learning rate times, after each epoch"].tolist() == ["0.5", "", ""]
    assert table.loc["dropout"].tolist() == ["0.04", "", ""]


def test_medians_by_the_number_of_examples() -> None:
    table = least_examples(example_tables()).written
    assert table.loc["paper"].tolist() == ["0.45", "0.21", "7"]
    assert table.loc["at least 4 examples"].tolist() == ["0.450", "0.210", "7.0"]


def test_distances_with_their_controls() -> None:
    table = distance_controls(example_tables(late={})).written
    assert list(table.index) == [STANDARD, WITH_LOSS]
    assert table.loc[STANDARD, "mean dist, random images"].startswith("0.400")
    assert table.loc[WITH_LOSS, "mean dist, another latent's weights"].startswith("0.200")


def test_settings_stand_below_the_paper_s() -> None:
    table = nearest_settings(example_tables()).written
    assert list(table.index) == ["paper", "1", "2"]
    assert table.loc["paper", ["λ₂", "start", "m", "sum over", "L0 / %", "factor"]].tolist() == [
        "?",
        "200",
        "0.9",
        "pairs",
        "9.1",
        "",
    ]
    assert table.loc["1", ["λ₂", "start", "m", "MSE", "size", "factor"]].tolist() == [
        "0.008",
        "380",
        "0.5",
        "0.50",
        "38",
        "1.04",
    ]
    assert table.loc["2", "λ₂"] == "0.005"


def test_starts_have_their_nearest_setting_in_order() -> None:
    table = by_start(example_tables(stated={"mse": 0.01})).written
    assert table["start"].tolist() == ["200", "200", "380"] and table["sum over"].tolist() == [
        "pairs",
        "latents",
        "pairs",
    ]


@pytest.mark.parametrize("tried", [(STATED,), (LATE,), (STATED, LATENTS)])
def test_the_paper_s_start_stands_above_one_nearest_setting(tried: tuple[str, ...]) -> None:
    assert len(by_start(example_tables(tried=tried)).cells) == 2
