"""Numbers with their uncertainty as the pages write them: known answers, signs, zeros, and what is not there."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from nbkit.studies.shared.estimate import UNDEFINED, Difference, Estimate, Spread, signed

NAN = math.nan


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1.25, 1, "+1.2"),
        (-1.26, 1, "−1.3"),
        (0.0, 2, "0.00"),
        (-0.0, 2, "0.00"),
        (-0.0004, 3, "0.000"),
        (0.0004, 3, "0.000"),
        (12.6, 0, "+13"),
    ],
)
def test_a_signed_number_has_a_real_minus_and_a_zero_has_no_sign(value: float, digits: int, text: str) -> None:
    assert signed(value, digits) == text


@pytest.mark.parametrize(
    ("estimate", "spec", "text"),
    [
        (Estimate(22.94, 21.63, 24.08), ".1f", "22.9 (21.6 to 24.1)"),
        (Estimate(22.94, 21.63, 24.08), ".1f%", "22.9% (21.6 to 24.1)"),
        (Estimate(1.5, -2.26, 5.2), ".1f%", "1.5% (−2.3 to 5.2)"),
        (Estimate(-0.04, -0.3, 0.04), ".1f", "0.0 (−0.3 to 0.0)"),
        (Estimate(22.94, 21.63, 24.08), "", "22.94 (21.63 to 24.08)"),
        (Estimate(22.94, 21.63, 24.08), ".0f%", "23% (22 to 24)"),
        (Estimate(-3.2, NAN, NAN), ".1f%", "−3.2%"),
        (Estimate(5.0, 5.0, 5.0), ".1f%", "5.0%"),
        (Estimate(5.0, 4.99, 5.01), ".1f", "5.0"),
        (Estimate(NAN, NAN, NAN), ".1f%", UNDEFINED),
    ],
)
def test_an_estimate_prints_itself_with_its_interval(estimate: Estimate, spec: str, text: str) -> None:
    assert f"{estimate:{spec}}" == text


def test_an_estimate_over_seeds_is_the_mean_with_student_s_interval() -> None:
    estimate = Estimate.over_seeds(np.array([1.0, 2.0, 3.0]))
    half = 4.302653 / 3**0.5  # the 97.5% quantile of Student's t with two degrees of freedom, deviation 1
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((2, 2 - half, 2 + half))


def test_one_seed_has_no_interval_and_no_seed_has_nothing() -> None:
    one = Estimate.over_seeds(np.array([4.0]))
    assert one.value == 4 and math.isnan(one.low) and math.isnan(one.high) and one.sign == 0
    assert f"{one:.1f%}" == "4.0%"
    assert f"{Estimate.over_seeds(np.array([])):.1f%}" == UNDEFINED


def test_an_estimate_over_groups_counts_groups_not_units() -> None:
    units = pd.MultiIndex.from_product([["a", "b"], [0, 1]], names=["group", "unit"])
    estimate = Estimate.over_groups(pd.Series([1.0, 2.0, 3.0, 6.0], units))
    half = 12.706205 * 1.5  # the 97.5% quantile of Student's t with one degree of freedom, times (2 (3² + 3²))^½ / 4
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((3, 3 - half, 3 + half))


def test_bounds_cut_the_interval_and_leave_the_value() -> None:
    assert Estimate(1.5, -2.3, 105.0).within(0, 100) == Estimate(1.5, 0, 100)
    assert f"{Estimate(1.5, NAN, NAN).within(0, 100):.1f}" == "1.5"


@pytest.mark.parametrize(
    ("low", "high", "sign"), [(0.1, 0.2, 1), (-0.2, -0.1, -1), (-0.1, 0.1, 0), (0, 0.1, 0), (-0.1, 0, 0), (NAN, NAN, 0)]
)
def test_a_sign_needs_the_whole_interval(low: float, high: float, sign: int) -> None:
    assert Estimate(0.05, low, high).sign == sign


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((0.0123, 0.01, 0.014), "higher by 0.012 (95% interval +0.010 to +0.014) than"),
        ((-0.0123, -0.014, -0.01), "lower by 0.012 (95% interval −0.014 to −0.010) than"),
        ((0.002, -0.001, 0.005), "not measurably different (+0.002, 95% interval −0.001 to +0.005) from"),
        ((-0.002, -0.005, 0.0), "not measurably different (−0.002, 95% interval −0.005 to 0.000) from"),
        ((-0.002, NAN, NAN), "different by −0.002 from"),
        ((NAN, NAN, NAN), "not comparable with"),
    ],
)
def test_a_difference_reads_as_words(numbers: tuple[float, float, float], words: str) -> None:
    assert f"{Difference(*numbers):.3f}" == words


def test_a_difference_in_per_cent_has_the_sign_after_the_number() -> None:
    assert f"{Difference(2.04, 1.0, 3.0):.1f%}" == "higher by 2.0% (95% interval +1.0 to +3.0) than"


def test_the_difference_of_means_is_a_metric_s_row_of_means() -> None:
    row = {"metric": "silhouette", "statistic": "mean", "value": 0.1, "low": 0.05, "high": 0.2}
    table = pd.DataFrame([{**row, "statistic": "median", "value": 9.0}, {**row, "metric": "n_clusters"}, row])
    assert Difference.of_means(table, "silhouette") == Difference(0.1, 0.05, 0.2)


@pytest.mark.parametrize(
    ("values", "spec", "text"),
    [
        ([93.9, 94.1], ".2f", "94.00 ± 0.14"),
        ([93.9, 94.1], ".2f%", "94.00 ± 0.14%"),
        ([2500.0, 2700.0], ".0f", "2,600 ± 141"),
        ([-1.0, -3.0], ".1f", "−2.0 ± 1.4"),
        ([-0.001], ".2f", "0.00"),
        ([93.9], ".2f%", "93.90%"),
        ([94.0, 94.0], ".2f%", "94.00%"),
        ([94.0, 94.001], ".1f", "94.0"),
        ([NAN], ".2f%", UNDEFINED),
    ],
)
def test_a_spread_is_mean_and_deviation_over_seeds(values: list[float], spec: str, text: str) -> None:
    assert f"{Spread.of(np.array(values)):{spec}}" == f"{Spread.of(pd.Series(values)):{spec}}" == text


def test_with_a_plus_every_number_has_its_sign_and_a_difference_stays_a_number() -> None:
    for kind in (Estimate, Difference):
        assert f"{kind(0.12, -0.04, 0.2):+.1f}" == "+0.1 (0.0 to +0.2)"
        assert f"{kind(-0.5, NAN, NAN):+.1f%}" == "−0.5%"
        assert f"{kind(NAN, NAN, NAN):+.3f}" == UNDEFINED


def test_a_number_is_known_or_not() -> None:
    assert Estimate(0.0, NAN, NAN).known and not Estimate(NAN, NAN, NAN).known
