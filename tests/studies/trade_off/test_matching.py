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
@pytest.mark.parametrize(
    ("ne", "step", "n_points"), [((0.003, 0.01), 0.075, 4), ((0.003,), 0.05, 2), ((0.01,), 0.1, 2)]
)
def test_a_known_step_is_found(by: str, ne: tuple[float, ...], step: float, n_points: int) -> None:
    table = example_sweep({"purity": 0.05}, noise=0)  # the curves are straight over log x
    found = matched_differences(table[table["ne"].isin((0.0, *ne))], by, ["purity", "l0", "mse"])
    assert set(found) == {"relu", "topk"}
    for measures in found.values():
        assert set(measures) == {"purity", "l0", "mse"} - {by}
        mine = measures["purity"]
        assert mine.metric == "purity" and mine.difference.value == pytest.approx(step)
        assert (mine.n_points, mine.n_left_out, mine.n_all) == (n_points, 0, n_points)
        assert mine.curve_error < 1e-12
        assert mine.standard == pytest.approx(0.5 + 0.1 * (np.log2(1.3) + 0.5))
        assert mine.with_loss == pytest.approx(mine.standard + step)


def test_seeds_are_what_is_repeated() -> None:
    table = example_sweep(noise=0.05, n_seeds=5)
    mine = matched_differences(table, "l0", ["silhouette"])["relu"]["silhouette"]
    points = matched_points(table, "l0", ["silhouette"])
    by_seed = points[points["activation"] == "relu"].groupby("seed")["silhouette"].mean()
    interval = ttest_1samp(by_seed, 0).confidence_interval(0.95)
    assert mine.difference.value == pytest.approx(by_seed.mean())
    assert (mine.difference.low, mine.difference.high) == pytest.approx((interval.low, interval.high))
    assert mine.n_seeds == 5


@pytest.mark.parametrize(
    ("metric", "step", "verdict"),
    [("purity", 0.1, 1), ("purity", -0.1, -1), ("silhouette", 0.1, -1), ("silhouette", -0.1, 1), ("size", 0.1, 0)],
)
def test_the_verdict_knows_which_way_is_better(metric: str, step: float, verdict: int) -> None:
    table = example_sweep({metric: step}, noise=1e-3)
    assert matched_differences(table, "l0", [metric])["topk"][metric].verdict == verdict
    alone = table[table["seed"] == 0]
    assert matched_differences(alone, "l0", [metric])["topk"][metric].verdict == 0, "one seed makes no claim"


def test_a_seed_is_held_against_its_own_curve() -> None:
    table = example_sweep(noise=0)
    table["purity"] += 10.0 * table["seed"]  # what a seed adds to both cancels
    difference = matched_differences(table, "l0", ["purity"])["relu"]["purity"].difference
    assert difference.value == pytest.approx(0.3)
    assert difference.high - difference.low < 1e-9


def test_nothing_is_extrapolated() -> None:
    table = example_sweep(noise=0)
    far = (table["ne"] > 0) & (table["sparsity"].isin([4e-4, 16.0])) & (table["ne"] == 0.01)
    table.loc[far & (table["seed"] == 0), "l0"] = 9.0  # the curve ends at 8
    points = matched_points(table, "l0", ["purity"])
    assert points.loc[~points["inside"], "seed"].tolist() == [0, 0]
    assert points.loc[~points["inside"], "purity"].isna().all() and points.loc[points["inside"], "purity"].notna().all()
    for measures in matched_differences(table, "l0", ["purity"]).values():
        mine = measures["purity"]
        assert (mine.n_points, mine.n_left_out) == (3, 1)  # for every seed: means are of the same points
        assert mine.difference.value == pytest.approx((2 * 0.2 + 0.4) / 3)


def test_undefined_figures_are_left_out_and_no_point_gives_no_number() -> None:
    table = example_sweep(noise=0)
    table.loc[(table["ne"] > 0) & (table["seed"] == 1), "purity"] = np.nan
    mine = matched_differences(table, "l0", ["purity"])["relu"]["purity"]
    assert not mine.difference.known and (mine.n_points, mine.n_left_out, mine.verdict) == (0, 4, 0)


def test_points_without_a_standard_autoencoder_are_outside() -> None:
    table = example_sweep()
    assert not matched_points(table[table["ne"] > 0], "l0", ["purity"])["inside"].any()


def test_a_bent_curve_tells_its_error() -> None:
    table = example_sweep(noise=0)
    table["purity"] = np.log2(table["l0"]) ** 2  # between neighbors at 0 and 2 the line gives 2 where the curve has 1
    for measures in matched_differences(table, "l0", ["purity"]).values():
        assert measures["purity"].curve_error == pytest.approx(1.0)


def test_the_interval_is_students() -> None:
    values = np.array([1.0, 2.0, 4.0])
    interval = ttest_1samp(values, 0).confidence_interval(0.95)
    assert mean_interval(values) == pytest.approx((7 / 3, interval.low, interval.high))
    assert mean_interval(np.array([3.0]))[0] == 3 and np.isnan(mean_interval(np.array([3.0]))[1])


def test_a_missing_column_is_named() -> None:
    with pytest.raises(NbkitError, match="purity"):
        matched_points(pd.DataFrame(example_sweep().drop(columns="purity")), "l0", ["purity"])
