"""Table 1 before it is printed: known answers, and differences against a slow loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.studies.shared.space_comparison import COMPARED_METRICS, compare_spaces, paired_differences
from tests.examples.atlas import GATED, example_atlas
from tests.examples.tiny_models import D_MLP, N_LAYERS


def test_the_table_holds_the_means_and_medians_of_neurons_with_enough_examples() -> None:
    atlas = example_atlas(
        [{"silhouette": 0.1}, {"silhouette": 0.2}, {"silhouette": 0.6}, {"silhouette": 9, "n_examples": 9}],
        pre_mlp=[{"silhouette": np.nan}, {"silhouette": 0.3}, {"silhouette": 0.5}, {"silhouette": 9}],
        shuffled=[{"silhouette": np.nan}] * 4,
    )
    table = compare_spaces(atlas, min_examples=10)
    assert list(table) == ["kind", "metric", "statistic", "value", "low", "high", "n"]
    assert list(dict.fromkeys(table["kind"])) == ["pre_mlp", "input", "shuffled"]
    assert len(table) == 3 * len(COMPARED_METRICS) * 2
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
def test_differences_equal_a_slow_loop(architecture: str, kind: str, own_atlas: Callable[[str], Atlas]) -> None:
    opened = own_atlas(architecture)
    assert opened.manifest.embedding == kind
    own, control = opened.metrics(kind, progress=False), opened.metrics("shuffled", progress=False)
    table: Any = paired_differences(opened, kind, "shuffled", min_examples=3).set_index(["metric", "statistic"])
    assert table.index.tolist() == [
        (metric, name) for metric in COMPARED_METRICS for name in ("mean", "median", "above", "equal", "below")
    ]
    for metric in COMPARED_METRICS:
        found = []
        for row in range(N_LAYERS * D_MLP):
            difference = own[metric][row] - control[metric][row]
            if own["n_examples"][row] >= 3 and not np.isnan(difference):
                found.append(difference)
        assert len(found) > 10
        sides = {"above": [x > 0 for x in found], "equal": [x == 0 for x in found], "below": [x < 0 for x in found]}
        expected = {"mean": np.mean(found), "median": np.median(found)}
        expected |= {side: np.mean(of) for side, of in sides.items()}
        assert table.loc[metric, "value"].to_dict() == pytest.approx(expected, abs=1e-12), metric
        assert table.loc[metric, "n"].tolist() == [len(found)] * 5
        assert (table.loc[metric, "low"] <= table.loc[metric, "high"]).all()


def test_the_share_counts_strictly_positive_differences_and_has_an_interval() -> None:
    atlas = example_atlas(
        [{"silhouette": value} for value in [0.5] * 30 + [0.4] * 10],
        pre_mlp=[{"silhouette": 0.4}] * 40,
    )
    table = paired_differences(atlas, "input", "pre_mlp")
    share = table[(table["metric"] == "silhouette") & (table["statistic"] == "above")].iloc[0]
    assert share["value"] == 0.75
    assert 0.5 < share["low"] < 0.75 < share["high"] < 0.95
    equal = table[(table["metric"] == "n_clusters")].set_index("statistic")
    assert equal["value"].to_dict() == {"mean": 0, "median": 0, "above": 0, "equal": 1, "below": 0}


def test_a_metric_that_no_neuron_has_in_both_spaces_is_nan() -> None:
    atlas = example_atlas(
        [{"silhouette": np.nan}, {"silhouette": 0.2}], pre_mlp=[{"silhouette": 0.1}, {"silhouette": np.nan}]
    )
    rows = paired_differences(atlas, "input", "pre_mlp").query("metric == 'silhouette'")
    assert rows["n"].tolist() == [0] * 5
    assert rows[["value", "low", "high"]].isna().all(axis=None)
