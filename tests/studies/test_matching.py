"""Matching by L0 and by MSE on sweeps whose curves are known exactly."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from nbkit.errors import NbkitError
from nbkit.method.intervals import mean_interval
from nbkit.studies.trade_off.matching import matched_differences, matched_points
from tests.examples.sweep import example_sweep


@pytest.mark.parametrize("by", ["l0", "mse"])
def test_a_known_step_is_found(by: str) -> None:
    table = example_sweep({"purity": 0.05}, noise=0)  # the curves are straight over log x
    found = matched_differences(table, by, ["purity", "l0", "mse"]).set_index(["activation", "ne", "metric"])
    assert by not in found.index.get_level_values("metric")
    for activation in ("relu", "topk"):
        of = found.loc[activation].xs("purity", level="metric")
        assert of["value"].tolist() == pytest.approx([0.075, 0.05, 0.1])  # together, then each lambda 2
        assert of["n_points"].tolist() == [4, 2, 2] and of["n_left_out"].tolist() == [0, 0, 0]
        assert of["curve"].max() < 1e-12
        assert of["standard"].iloc[0] == pytest.approx(0.5 + 0.1 * (np.log2(1.3) + 0.5))


def test_seeds_are_what_is_repeated() -> None:
    table = example_sweep(noise=0.05, n_seeds=5)
    row = matched_differences(table, "l0", ["silhouette"]).iloc[0]
    points = matched_points(table, "l0", ["silhouette"])
    by_seed = points[points["activation"] == "relu"].groupby("seed")["silhouette"].mean()
    interval = ttest_1samp(by_seed, 0).confidence_interval(0.95)
    assert row["value"] == pytest.approx(by_seed.mean())
    assert (row["low"], row["high"]) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert row["n_seeds"] == 5


def test_a_seed_is_held_against_its_own_curve() -> None:
    table = example_sweep(noise=0)
    table["purity"] += 10.0 * table["seed"]  # what a seed adds to both cancels
    row = matched_differences(table, "l0", ["purity"]).iloc[0]
    assert row["value"] == pytest.approx(0.3)
    assert row["high"] - row["low"] < 1e-9


def test_nothing_is_extrapolated() -> None:
    table = example_sweep(noise=0)
    far = (table["ne"] > 0) & (table["sparsity"].isin([4e-4, 16.0])) & (table["ne"] == 0.01)
    table.loc[far & (table["seed"] == 0), "l0"] = 9.0  # the curve ends at 8
    points = matched_points(table, "l0", ["purity"])
    assert points.loc[~points["inside"], "seed"].tolist() == [0, 0]
    assert points.loc[~points["inside"], "purity"].isna().all() and points.loc[points["inside"], "purity"].notna().all()
    found = matched_differences(table, "l0", ["purity"]).set_index(["activation", "ne"])
    assert found["n_left_out"].tolist() == [1, 0, 1] * 2  # for every seed: means are of the same points
    assert found["value"].tolist() == pytest.approx([(2 * 0.2 + 0.4) / 3, 0.2, 0.4] * 2)


def test_undefined_figures_are_left_out_and_no_point_gives_no_number() -> None:
    table = example_sweep(noise=0)
    table.loc[(table["ne"] > 0) & (table["seed"] == 1), "purity"] = np.nan
    row = matched_differences(table, "l0", ["purity"]).iloc[0]
    assert np.isnan(row["value"]) and (row["n_points"], row["n_left_out"]) == (0, 4)


def test_points_without_a_standard_autoencoder_are_outside() -> None:
    table = example_sweep()
    assert not matched_points(table[table["ne"] > 0], "l0", ["purity"])["inside"].any()


def test_a_bent_curve_tells_its_error() -> None:
    table = example_sweep(noise=0)
    table["purity"] = np.log2(table["l0"]) ** 2  # between neighbors at 0 and 2 the line gives 2 where the curve has 1
    assert matched_differences(table, "l0", ["purity"])["curve"].tolist() == pytest.approx([1.0] * 6)


def test_the_interval_is_students() -> None:
    values = np.array([1.0, 2.0, 4.0])
    interval = ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean_interval(values) == pytest.approx((7 / 3, interval.low, interval.high))
    assert mean_interval(np.array([3.0]))[0] == 3 and np.isnan(mean_interval(np.array([3.0]))[1])


def test_a_missing_column_is_named() -> None:
    with pytest.raises(NbkitError, match="purity"):
        matched_points(pd.DataFrame(example_sweep().drop(columns="purity")), "l0", ["purity"])
