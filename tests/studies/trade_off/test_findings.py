"""What is found in sweeps whose answer is known: counts, verdicts, tables and figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbkit.errors import NbkitError
from nbkit.sae.loss import Gradient
from nbkit.sae.sweep_columns import SWEEP_MEASURES, of_kind
from nbkit.studies.shared.estimate import UNDEFINED
from nbkit.studies.trade_off.figures import matched_intervals, trade_off_curves
from nbkit.studies.trade_off.findings import (
    ANSWERS,
    Count,
    MatchedAnswer,
    Verdict,
    answered,
    compared,
    compared_gradients,
    counted_gradients,
    matched_answer,
    neurons_read,
)
from nbkit.studies.trade_off.matching import Matched
from nbkit.studies.trade_off.tables import answers_table, by_gradient, matched_table, sweep_ranges
from tests.examples.figure_data import data_of
from tests.examples.sweep import example_sweep
from tests.figures.test_figures import drawn

BETTER = {name: 0.1 * measure.better for name, measure in SWEEP_MEASURES.items()}
WORSE = {name: -step for name, step in BETTER.items()}
SAME = dict.fromkeys(SWEEP_MEASURES, 0.0)


def answers(steps: dict[str, float], n_seeds: int = 4, noise: float = 1e-3) -> list[MatchedAnswer]:
    """At equal L0 and at equal MSE."""
    return [matched_answer(matched) for matched in compared(example_sweep(steps, n_seeds, noise)).values()]


@pytest.mark.parametrize(
    ("steps", "better", "worse", "verdict"),
    [
        (BETTER, 8, 0, "yes"),
        (WORSE, 0, 8, "no"),
        (BETTER | {"purity": -0.1}, 6, 2, "mostly yes"),
        (WORSE | {"purity": 0.1}, 2, 6, "mostly no"),
        (BETTER | {"purity": -0.1, "same_digit": -0.1}, 4, 4, "mixed"),
    ],
)
def test_the_verdict_follows_the_numbers(steps: dict[str, float], better: int, worse: int, verdict: Verdict) -> None:
    for answer in answers(steps):
        assert answer.count == Count(better, worse, 8)
        assert answer.count.verdict == verdict


@pytest.mark.parametrize(
    ("better", "worse", "verdict"),
    [
        (0, 0, "none"),
        (1, 0, "none"),
        (0, 1, "none"),
        (2, 0, "yes"),
        (2, 1, "yes"),
        (1, 2, "no"),
        (4, 2, "mostly yes"),
        (2, 4, "mostly no"),
        (3, 2, "mixed"),
        (2, 3, "mixed"),
        (1, 5, "no"),
    ],
)
def test_the_rule_of_the_verdict(better: int, worse: int, verdict: Verdict) -> None:
    count = Count(better, worse, 12)
    assert count.verdict == verdict and count.favored == (better > worse and better > 1)
    assert count.undecided == 12 - better - worse
    assert str(count) == f"better in {better} and worse in {worse} of 12 comparisons"


def test_where_there_is_no_difference_none_is_claimed() -> None:
    for answer in answers(SAME, 6, noise=0.02):
        assert all(mine.own.difference.sign == 0 for mine in answer.activations)


def test_one_seed_makes_no_claim() -> None:
    for answer in answers(BETTER, n_seeds=1):
        assert answer.count == Count(0, 0, 8) and answer.count.verdict == "none"
        assert all(mine.own.n_seeds == 1 and mine.better == "none" for mine in answer.activations)


def test_each_activation_names_its_measures() -> None:
    for answer in answers(BETTER | {"purity": -0.1, "same_digit": 0.0}, noise=1e-4):
        for mine in answer.activations:
            assert mine.worse == "purity"
            assert "monosemanticity score, silhouette of images in two clusters" in mine.better
    relu, topk = answers(BETTER)[0].activations
    assert (relu.name, topk.name) == ("ReLU", "TopK")
    assert relu.worse == relu.undecided == "none"
    assert f"{relu.own.difference:.3f}" == "lower by 0.150 (95% interval −0.151 to −0.149) than"
    assert f"{relu.own.standard:.3f}" == "0.588"
    assert relu.largest_change == pytest.approx(100 * 0.15 / 0.588, abs=0.5)


def test_an_activation_without_a_point_inside_is_told() -> None:
    table = example_sweep()
    table.loc[(table["activation"] == "relu") & (table["ne"] > 0), "l0"] = 100.0
    answer = matched_answer(compared(table)["l0"])
    assert [mine.name for mine in answer.outside] == ["ReLU"] and [mine.name for mine in answer.inside] == ["TopK"]
    table = example_sweep()
    table.loc[(table["activation"] == "relu") & (table["ne"] == 0.01), "l0"] = 100.0
    answer = matched_answer(compared(table)["l0"])
    assert [(mine.own.n_points, mine.own.n_all) for mine in answer.activations] == [(2, 4), (4, 4)]


def test_differences_within_the_curves_error_are_counted() -> None:
    table = example_sweep(BETTER, noise=0)
    assert matched_answer(compared(table)["l0"]).n_within_error == 0  # the curves are straight
    table["purity"] = np.log2(table["l0"]) ** 2 + 1e-3 * (table["ne"] > 0)
    assert matched_answer(compared(table)["l0"]).n_within_error == 2  # of purity, for both activations


def test_the_table_has_the_standard_value_and_the_difference() -> None:
    table = matched_table(compared(example_sweep({"purity": 0.1}, noise=0))["l0"]).written
    assert (table.loc["purity", "TopK, standard"], table.loc["purity", "TopK, difference"]) == ("0.588", "+0.150")
    assert list(table.columns) == [
        "better",
        *(f"{name}, {of}" for name in ("ReLU", "TopK") for of in ("standard", "difference")),
    ]
    assert len(table) == len(SWEEP_MEASURES) - 1
    assert table.loc["purity", "better"] == "higher" and table.loc["MSE", "better"] == "lower"


def test_the_table_has_a_dash_for_what_is_not_known() -> None:
    sweep = example_sweep()
    sweep.loc[sweep["ne"] > 0, "purity"] = np.nan
    row = matched_table(compared(sweep)["l0"]).written.loc["purity"]
    assert row["ReLU, standard"] == row["ReLU, difference"] == UNDEFINED


def test_ranges_are_of_means_over_seeds() -> None:
    table = sweep_ranges(example_sweep(noise=0)).written
    assert table.loc[("ReLU", "standard"), "L0 / %"] == "1.0 to 8.0"
    assert table.loc[("TopK", "λ₂ = 0.01"), "autoencoders"] == "8"


def test_neurons_read_are_means_over_autoencoders() -> None:
    table = example_sweep({"participation": -0.25, "relative_distance": 0.0}, noise=1e-6)
    relu, topk = neurons_read(table, compared(table)["l0"])
    assert (relu.name, topk.name) == ("ReLU", "TopK")
    assert relu.standard == pytest.approx(0.5 + 0.1 * 1.5)  # L0 1, 2, 4 and 8
    assert relu.strongest == pytest.approx(0.5 + 0.1 * (np.log2(1.3) + 0.5) - 0.5, abs=1e-4)
    assert relu.relative_distance.value == pytest.approx(0, abs=1e-4)


def test_curves_have_a_panel_per_measure_and_activation() -> None:
    table = example_sweep()
    figure = drawn(trade_off_curves(table, "l0", ("purity", "mse")))
    assert len(figure.axes) == 4
    assert [ax.get_title(loc="left") for ax in figure.axes[:2]] == ["ReLU", "TopK"]
    assert [figure.axes[i].get_ylabel() for i in (0, 2)] == ["purity", "MSE"]
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["standard", "λ₂ = 0.003", "λ₂ = 0.01"]
    lines = [line for line in figure.axes[0].get_lines() if len(np.asarray(line.get_xdata())) == 4]
    assert lines and np.allclose(lines[0].get_xdata(), [1, 2, 4, 8])
    data = data_of(figure)
    first = data[(data["autoencoder"] == "ReLU") & (data["loss"] == "standard") & (data["measure"] == "purity")]
    np.testing.assert_allclose(first["mean over seeds"], lines[0].get_ydata(), rtol=1e-5)
    assert (first["95% interval from"] <= first["mean over seeds"]).all() and set(data["measure"]) == {"purity", "MSE"}
    marks = {line.get_marker() for ax in figure.axes for line in ax.get_lines()}
    assert len(marks) >= 3, "lines differ by more than their color"


def test_intervals_have_a_panel_per_measure() -> None:
    differences = compared(example_sweep({"purity": 0.1}, noise=0.01))
    figure = drawn(matched_intervals(differences, ("purity", "silhouette", "mean_distance")))
    assert [ax.get_title(loc="left") for ax in figure.axes[:2]] == ["purity", "silhouette of images in two clusters"]
    assert [ax.get_xlabel() for ax in figure.axes[:2]] == [
        "difference (higher is better)",
        "difference (lower is better)",
    ]
    values = [line for line in figure.axes[0].get_lines() if line.get_marker() in ("o", "D")]
    assert [len(np.asarray(line.get_xdata())) for line in values] == [2, 2]
    assert np.allclose([line.get_xdata() for line in values], 0.15, atol=0.02)
    data = data_of(figure)
    drawn_values = np.concatenate([np.asarray(line.get_xdata()) for line in values])
    np.testing.assert_allclose(data.loc[data["measure"] == "purity", "difference"], drawn_values, rtol=1e-5)
    assert data.columns.tolist()[:3] == ["measure", "at equal", "autoencoder"] and len(data) == 3 * 2 * 2


def test_figures_of_two_seeds_and_of_one_are_drawn() -> None:
    for n_seeds in (1, 2):
        table = example_sweep(n_seeds=n_seeds)
        drawn(trade_off_curves(table))
        drawn(matched_intervals(compared(table)))


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(NbkitError, match="nonsense"):
        trade_off_curves(example_sweep(), "nonsense")
    with pytest.raises(NbkitError, match="nonsense"):
        matched_intervals(compared(example_sweep()), ["nonsense"])


def test_every_kind_of_measure_is_there() -> None:
    assert {measure.kind for measure in SWEEP_MEASURES.values()} == {
        "own",
        "control",
        "independent",
        "weighted",
        "price",
    }
    assert of_kind("own", "independent") == [
        *("max_distance", "mean_distance", "purity", "same_digit", "monosemanticity", "silhouette")
    ]


def gradients(opposite: dict[str, float]) -> dict[Gradient, dict[str, Matched]]:
    sweeps: dict[Gradient, pd.DataFrame] = {
        "whole": example_sweep(BETTER, noise=1e-3),
        "average": example_sweep(BETTER | {"purity": -0.1}, noise=1e-3),
        "opposite": example_sweep(opposite, noise=1e-3),
    }
    relu = sweeps["average"]["activation"] == "relu"
    sweeps["average"] = sweeps["average"][relu]
    return {gradient: compared(sweep) for gradient, sweep in sweeps.items()}


def test_gradients_are_counted_over_the_activations_that_all_have() -> None:
    for by, price in (("l0", "MSE"), ("mse", "L0 / %")):
        table = by_gradient(gradients(WORSE), by).cells
        assert [gradient for gradient, _ in table.index] == ["whole", "through the average alone", "opposite (control)"]
        assert {activation for _, activation in table.index} == {"ReLU"}
        assert list(table) == ["better", "worse", "undecided", "mean distance", price]
        assert table[["better", "worse", "undecided"]].to_numpy().tolist() == [[4, 0, 0], [3, 1, 0], [0, 4, 0]]
    counts = counted_gradients(gradients(WORSE))
    for by in ("l0", "mse"):
        assert [counts[gradient][by] for gradient in ("whole", "average", "opposite")] == [
            Count(4, 0, 4),
            Count(3, 1, 4),
            Count(0, 4, 4),
        ]
        assert not counts["opposite"][by].favored


def test_an_opposite_loss_can_be_favored() -> None:
    counts = counted_gradients(gradients(BETTER))
    assert all(counts["opposite"][by].favored for by in ("l0", "mse"))


@pytest.mark.parametrize(("opposite", "verdict"), [(BETTER, "no evidence"), (WORSE, "yes"), (SAME, "yes")])
def test_a_loss_whose_opposite_is_favored_as_well_has_no_evidence(opposite: dict[str, float], verdict: Verdict) -> None:
    answer = answered(gradients(opposite), "mse")
    assert (answer.verdict, answer.words) == (verdict, ANSWERS[verdict])
    assert answer.count.value == Count(8, 0, 8) and answer.control.value.n == 4
    assert answered(gradients(opposite), "l0", "average").count.value == Count(3, 1, 4)
    assert len({answered(gradients(opposite), "l0", of).count.name for of in ("whole", "average", "opposite")}) == 3


def test_the_answer_by_activation_counts_points_and_names_measures() -> None:
    table = example_sweep(BETTER | {"purity": -0.1}, noise=1e-4)
    table.loc[(table["activation"] == "relu") & (table["ne"] > 0), "l0"] = 100.0
    written = answers_table(matched_answer(compared(table)["l0"])).written
    assert written.loc["TopK", ["worse", "points", "seeds"]].tolist() == ["purity", "4 of 4", "4"]
    assert written.loc["ReLU", ["better", "largest difference / %", "points"]].tolist() == ["none", UNDEFINED, "0 of 4"]


def test_the_whole_gradient_is_compared_first() -> None:
    sweep = example_sweep()
    compared_by = compared_gradients(sweep, {"average": sweep})
    assert list(compared_by) == ["whole", "average"] and compared_by["whole"] == compared(sweep)
