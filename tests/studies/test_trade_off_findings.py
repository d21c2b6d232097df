"""What the page of the trade-off says about sweeps whose answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nbkit.errors import NbkitError
from nbkit.sae.loss import Gradient
from nbkit.sae.sweep_columns import SWEEP_MEASURES, of_kind
from nbkit.studies.trade_off.figures import matched_intervals, trade_off_curves
from nbkit.studies.trade_off.findings import (
    by_gradient,
    compared,
    left_out,
    matched_answer,
    matched_table,
    sweep_ranges,
    what_gradients_say,
    what_is_read,
)
from tests.examples.sweep import example_sweep
from tests.figures.test_figures import drawn

BETTER = {name: 0.1 * measure.better for name, measure in SWEEP_MEASURES.items()}
WORSE = {name: -step for name, step in BETTER.items()}
SAME = dict.fromkeys(SWEEP_MEASURES, 0.0)


def answer(steps: dict[str, float], n_seeds: int = 4) -> str:
    return matched_answer(compared(example_sweep(steps, n_seeds, noise=1e-3))).markdown


@pytest.mark.parametrize(
    ("steps", "said", "counts"),
    [
        (BETTER, "Yes, wherever a difference can be measured", "8 favor the loss, 0 speak"),
        (WORSE, "No, less so wherever a difference can be measured", "0 favor the loss, 8 speak"),
        (BETTER | {"purity": -0.1}, "Mostly yes", "6 favor the loss, 2 speak"),
        (WORSE | {"purity": 0.1}, "Mostly no", "2 favor the loss, 6 speak"),
        (BETTER | {"purity": -0.1, "same_digit": -0.1}, "It depends on the measure", "4 favor the loss, 4 speak"),
    ],
)
def test_the_verdict_follows_the_numbers(steps: dict[str, float], said: str, counts: str) -> None:
    text = answer(steps)
    for by in ("L0", "MSE"):
        assert f"**More monosemantic at equal {by}? {said}.**" in text
    assert text.count(f"Of 8 comparisons on independent measures {counts}") == 2


def test_where_there_is_no_difference_none_is_claimed() -> None:
    text = matched_answer(compared(example_sweep(SAME, 6, noise=0.02))).markdown
    assert "in standard autoencoders, is not measurably different" in text


def test_direction_words() -> None:
    lower = answer(BETTER)  # a smaller distance is better
    assert "mean distance, 0.588 in standard autoencoders, is lower by 0.150 (95% interval −0.151 to −0.149)" in lower
    assert "better in purity, pairs of one digit," in lower and "worse in" not in lower
    assert "none of them differs by more than 26% of its standard value" in lower  # 0.15 / 0.588
    assert "is higher by 0.150" in answer(WORSE)


def test_the_price_is_told() -> None:
    assert "Besides: L0 / % 2.07 to 1.95; accuracy loss / % 0.59 to 0.44; dead latents" in answer(BETTER)


def test_one_seed_makes_no_claim() -> None:
    text = answer(BETTER, n_seeds=1)
    assert "(one seed)" in text and "0 favor the loss, 0 speak against it and 8 cannot tell" in text


def test_points_outside_are_told() -> None:
    table = example_sweep()
    table.loc[(table["activation"] == "relu") & (table["ne"] == 0.01), "l0"] = 100.0
    text = left_out(compared(table)).markdown
    assert "ReLU 2 of 4 points; TopK 4 of 4 points" in text


def test_an_activation_without_a_point_inside_is_told() -> None:
    table = example_sweep()
    table.loc[(table["activation"] == "relu") & (table["ne"] > 0), "l0"] = 100.0
    text = matched_answer(compared(table)).markdown
    assert "- *ReLU* has no point inside the standard curve." in text


def test_the_table_has_the_standard_value_and_the_difference() -> None:
    differences = compared(example_sweep({"purity": 0.1}, noise=0))
    table = matched_table(differences["l0"])
    assert table.loc["purity", "TopK"] == "0.588; +0.150 (+0.150 to +0.150)"
    assert list(table.columns) == ["better", "ReLU", "TopK"] and len(table) == len(SWEEP_MEASURES) - 1
    assert table.loc["purity", "better"] == "higher" and table.loc["MSE", "better"] == "lower"


def test_ranges_are_of_means_over_seeds() -> None:
    table = sweep_ranges(example_sweep(noise=0))
    assert table.loc["ReLU, standard", "L0 / %"] == "1.0 to 8.0"
    assert table.loc["TopK, λ₂ = 0.01", "autoencoders"] == 8


def test_what_latents_read_is_told() -> None:
    table = example_sweep({"participation": -0.25, "relative_distance": 0.0}, noise=1e-6)
    text = what_is_read(table, compared(table)).markdown
    assert "reads 0.7 hidden neurons in standard autoencoders and 0.1 with" in text.replace("\n", " ")
    assert text.count("- *") == 2


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


def gradients(opposite: dict[str, float]) -> dict[Gradient, dict[str, pd.DataFrame]]:
    sweeps: dict[Gradient, pd.DataFrame] = {
        "whole": example_sweep(BETTER, noise=1e-3),
        "average": example_sweep(BETTER | {"purity": -0.1}, noise=1e-3),
        "opposite": example_sweep(opposite, noise=1e-3),
    }
    relu = sweeps["average"]["activation"] == "relu"
    sweeps["average"] = sweeps["average"][relu]
    return {gradient: compared(sweep) for gradient, sweep in sweeps.items()}


def test_gradients_are_counted_over_the_activations_that_all_have() -> None:
    table = by_gradient(gradients(WORSE))
    assert [gradient for gradient, _ in table.index] == ["whole", "through the average alone", "opposite (control)"]
    assert {activation for _, activation in table.index} == {"ReLU"}
    for by in ("L0", "MSE"):
        assert table[f"at equal {by}: better, worse"].tolist() == ["4, 0", "3, 1", "0, 4"]
    text = what_gradients_say(gradients(WORSE)).markdown
    assert "**The opposite loss** is better in 0 and worse in 4 of 4 comparisons at equal L0, and better in 0" in text
    assert "**The gradient through the average alone** is better in 3 and worse in 1 of 4" in text
    assert "no evidence" not in text


def test_an_opposite_loss_that_is_favored_takes_the_verdict_away() -> None:
    text = what_gradients_say(gradients(BETTER)).markdown
    for by in ("L0", "MSE"):
        assert f"a comparison at equal {by} is no evidence for the loss." in text
