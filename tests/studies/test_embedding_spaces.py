"""Table 1: intervals against SciPy and a brute-force bootstrap, differences against a slow loop."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.errors import NbkitError
from nbkit.method.intervals import summarize
from nbkit.studies.embedding_spaces.comparison import MEASURES, compare_spaces, paired_differences
from tests.examples.atlas import GATED, example_atlas
from tests.examples.tiny_models import D_MLP, N_LAYERS

SAMPLES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "skewed": lambda rng, n: rng.exponential(size=n),
    "shares": lambda rng, n: rng.integers(2, size=n).astype(float),
}


@pytest.fixture
def atlas(tiny_atlas: Callable[[str], Atlas], tmp_path: Path) -> Callable[[str], Atlas]:
    """Copies of atlases, into which tables of metrics may be written."""
    return lambda architecture: open_atlas(shutil.copytree(tiny_atlas(architecture).path, tmp_path / architecture))


def sample(name: str, n: int) -> np.ndarray:
    values: np.ndarray = SAMPLES[name](np.random.default_rng(n), n)
    return values


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("n", [10, 200])
def test_the_mean_s_interval_is_scipy_s_up_to_the_noise_of_300_resamples(name: str, n: int) -> None:
    values = sample(name, n)
    oracle = scipy.stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=0)
    width = oracle.confidence_interval.high - oracle.confidence_interval.low
    mean = summarize(pd.Series(values), seed=0).iloc[0]
    assert mean["statistic"] == "mean" and mean["n"] == n
    assert mean["value"] == pytest.approx(values.mean())
    assert [mean["low"], mean["high"]] == pytest.approx(list(oracle.confidence_interval), abs=0.12 * width)


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("n", [1, 3, 9, 11, 31, 101])
def test_the_median_s_interval_for_odd_n_is_that_of_a_brute_force_bootstrap(name: str, n: int) -> None:
    values = sample(name, n)
    drawn = np.random.default_rng(0).integers(n, size=(40_000, n))
    low, high = np.quantile(np.median(values[drawn], axis=1), (0.025, 0.975), method="inverted_cdf")
    median = summarize(pd.Series(values), seed=0).iloc[1]
    assert (median["statistic"], median["n"]) == ("median", n)
    assert (median["value"], median["low"], median["high"]) == (np.median(values), low, high)


@pytest.mark.parametrize("n", [2, 4, 10, 30, 100])
def test_the_median_s_interval_for_even_n_is_at_most_a_rank_wider_than_that_of_a_brute_force_bootstrap(n: int) -> None:
    values = np.arange(n, dtype=float)
    drawn = np.random.default_rng(0).integers(n, size=(40_000, n))
    low, high = np.quantile(np.median(values[drawn], axis=1), (0.025, 0.975))
    median = summarize(pd.Series(values), seed=0).iloc[1]
    assert low - 1 <= median["low"] <= low
    assert high <= median["high"] <= high + 1


@pytest.mark.parametrize("n", [2, 9, 10, 57, 200])
def test_the_median_s_interval_has_no_preferred_side(n: int) -> None:
    values = sample("skewed", n)
    there, back = (summarize(pd.Series(sign * values), seed=0).iloc[1] for sign in (1, -1))
    assert (there["low"], there["high"]) == (-back["high"], -back["low"])


@pytest.mark.parametrize("n", [1, 2, 37])
def test_equal_values_have_an_interval_of_no_width(n: int) -> None:
    table = summarize(pd.Series([0.25] * n), seed=0)
    assert table[["value", "low", "high"]].to_numpy().tolist() == [[0.25] * 3] * 2
    assert table["n"].tolist() == [n, n]


def test_nan_does_not_count() -> None:
    values = sample("normal", 20)
    gappy = pd.Series([np.nan, *values[:9], np.nan, *values[9:]])
    pd.testing.assert_frame_equal(summarize(gappy, seed=3), summarize(pd.Series(values), seed=3))


@pytest.mark.parametrize("values", [[], [np.nan, np.nan]])
def test_of_nothing_every_number_is_nan(values: list[float]) -> None:
    table = summarize(pd.Series(values, dtype=float), seed=0)
    assert table["statistic"].tolist() == ["mean", "median"]
    assert table["n"].tolist() == [0, 0]
    assert table[["value", "low", "high"]].isna().all(axis=None)


def test_the_order_of_the_neurons_does_not_matter_but_the_seed_does() -> None:
    values = pd.Series(sample("skewed", 50))
    pd.testing.assert_frame_equal(summarize(values, 1), summarize(values.iloc[::-1], 1))
    one, other = (summarize(values, seed) for seed in (1, 2))
    assert one["low"][0] != other["low"][0]
    assert one.iloc[1].equals(other.iloc[1])  # the median's interval is computed, not drawn


def test_the_table_holds_the_means_and_medians_of_neurons_with_enough_examples() -> None:
    atlas = example_atlas(
        [{"silhouette": 0.1}, {"silhouette": 0.2}, {"silhouette": 0.6}, {"silhouette": 9, "n_examples": 9}],
        pre_mlp=[{"silhouette": np.nan}, {"silhouette": 0.3}, {"silhouette": 0.5}, {"silhouette": 9}],
        shuffled=[{"silhouette": np.nan}] * 4,
    )
    table = compare_spaces(atlas, min_examples=10)
    assert list(table) == ["kind", "metric", "statistic", "value", "low", "high", "n"]
    assert list(dict.fromkeys(table["kind"])) == ["pre_mlp", "input", "shuffled"]
    assert len(table) == 3 * len(MEASURES) * 2
    rows: Any = table[table["metric"] == "silhouette"].set_index(["kind", "statistic"])
    assert rows.loc["input", "value"].to_dict() == pytest.approx({"mean": 0.3, "median": 0.2})
    assert rows.loc["pre_mlp", "value"].to_dict() == pytest.approx({"mean": 0.4, "median": 0.4})
    assert rows["n"].tolist() == [2, 2, 3, 3, 0, 0]
    assert rows.loc["shuffled", "value"].isna().all()


def test_the_default_spaces_are_those_of_the_atlas() -> None:
    spaces: dict[str, list[dict[str, float]]] = {kind: [{}] for kind in ("pre_mlp", "shuffled", "up")}
    atlas = example_atlas([{}], GATED, **spaces)
    assert compare_spaces(atlas)["kind"].unique().tolist() == ["pre_mlp", "gradient", "shuffled"]
    assert compare_spaces(atlas, ("up", "gradient"))["kind"].unique().tolist() == ["up", "gradient"]


def test_too_little_text_is_refused() -> None:
    atlas = example_atlas([{"n_examples": 7}, {"n_examples": 9}], pre_mlp=[{}] * 2, shuffled=[{}] * 2)
    complaint = r"no neuron has 10 examples \(the most is 9\): scan more text or ask for fewer"
    with pytest.raises(NbkitError, match=complaint):
        compare_spaces(atlas, min_examples=10)
    with pytest.raises(NbkitError, match=complaint):
        paired_differences(atlas, "input", "pre_mlp", min_examples=10)
    assert compare_spaces(atlas, min_examples=9)["n"].unique().tolist() == [1]


@pytest.mark.parametrize(("architecture", "kind"), [("gpt2", "input"), ("llama", "gradient")])
def test_differences_equal_a_slow_loop(architecture: str, kind: str, atlas: Callable[[str], Atlas]) -> None:
    opened = atlas(architecture)
    assert opened.manifest.embedding == kind
    own, control = opened.metrics(kind, progress=False), opened.metrics("shuffled", progress=False)
    table: Any = paired_differences(opened, kind, "shuffled", min_examples=3).set_index(["metric", "statistic"])
    assert table.index.tolist() == [(metric, name) for metric in MEASURES for name in ("mean", "median", "share")]
    for metric in MEASURES:
        found = []
        for row in range(N_LAYERS * D_MLP):
            difference = own[metric][row] - control[metric][row]
            if own["n_examples"][row] >= 3 and not np.isnan(difference):
                found.append(difference)
        assert len(found) > 10
        expected = {"mean": np.mean(found), "median": np.median(found), "share": np.mean([x > 0 for x in found])}
        assert table.loc[metric, "value"].to_dict() == pytest.approx(expected, abs=1e-12), metric
        assert table.loc[metric, "n"].tolist() == [len(found)] * 3
        assert (table.loc[metric, "low"] <= table.loc[metric, "high"]).all()


def test_the_share_counts_strictly_positive_differences_and_has_an_interval() -> None:
    atlas = example_atlas(
        [{"silhouette": value} for value in [0.5] * 30 + [0.4] * 10],
        pre_mlp=[{"silhouette": 0.4}] * 40,
    )
    table = paired_differences(atlas, "input", "pre_mlp")
    share = table[(table["metric"] == "silhouette") & (table["statistic"] == "share")].iloc[0]
    assert share["value"] == 0.75
    assert 0.5 < share["low"] < 0.75 < share["high"] < 0.95
    equal = table[(table["metric"] == "n_clusters")].set_index("statistic")
    assert equal["value"].to_dict() == {"mean": 0, "median": 0, "share": 0}


def test_a_metric_that_no_neuron_has_in_both_spaces_is_nan() -> None:
    atlas = example_atlas(
        [{"silhouette": np.nan}, {"silhouette": 0.2}], pre_mlp=[{"silhouette": 0.1}, {"silhouette": np.nan}]
    )
    rows = paired_differences(atlas, "input", "pre_mlp").query("metric == 'silhouette'")
    assert rows["statistic"].tolist() == ["mean", "median", "share"]
    assert rows["n"].tolist() == [0, 0, 0]
    assert rows[["value", "low", "high"]].isna().all(axis=None)
