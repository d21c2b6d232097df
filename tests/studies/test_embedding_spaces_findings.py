"""What Table 1 supports, and its tables, for atlases whose numbers are made by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.method.embeddings import EMBEDDING_NAMES
from nbkit.method.metrics import METRIC_TITLES
from nbkit.studies.embedding_spaces.comparison import COMPARED_METRICS, compare_spaces, spaces_of, value_of
from nbkit.studies.embedding_spaces.findings import Distances, paired_table, separation, table1
from nbkit.studies.shared.estimate import UNDEFINED
from tests.examples.atlas import GATED, MANIFESTS, compared_atlas, example_atlas


@pytest.mark.parametrize("name", MANIFESTS)
def test_what_table_1_supports_follows_its_numbers(name: str) -> None:
    found = separation(compared_atlas(MANIFESTS[name]))
    assert found.pre_mlp == Distances(pytest.approx(0.3), pytest.approx(0.6))
    assert found.own == Distances(pytest.approx(0.2), pytest.approx(0.7))
    assert found.control == Distances(pytest.approx(0.25), pytest.approx(0.65))
    assert found.moved == Distances(pytest.approx(-0.1), pytest.approx(0.1))
    assert found.control_moved == Distances(pytest.approx(-0.05), pytest.approx(0.05))
    over, below = found.silhouette_over_pre_mlp, found.silhouette_over_control
    assert [over.value, over.low, over.high] == pytest.approx([0.1] * 3) and over.sign == 1
    assert [below.value, below.low, below.high] == pytest.approx([-0.05] * 3) and below.sign == -1


def test_a_difference_that_is_zero_on_average_has_no_sign_and_one_that_no_neuron_has_is_missing() -> None:
    found = separation(compared_atlas())
    zero, missing = found.agreement_over_pre_mlp, found.agreement_over_control
    assert zero.value == pytest.approx(0) and zero.low < 0 < zero.high and zero.sign == 0
    assert np.isnan([missing.value, missing.low, missing.high]).all()
    assert f"{missing:.3f}" == "not comparable with"


def test_neurons_with_too_few_examples_are_left_out_of_every_number() -> None:
    few = {"n_examples": 9, "intra_cluster": 9.0, "silhouette_matched": 9.0}
    atlas = example_atlas([{}] * 4 + [few], pre_mlp=[{}] * 5, shuffled=[{}] * 5)
    found = separation(atlas)
    assert found.own.within == pytest.approx(0.2) and found.silhouette_over_pre_mlp.value == 0
    assert separation(atlas, min_examples=9).own.within == pytest.approx((4 * 0.2 + 9) / 5)
    with pytest.raises(NbkitError, match="no neuron has 51 examples"):
        separation(atlas, min_examples=51)


def test_the_spaces_of_table_1() -> None:
    assert spaces_of(example_atlas([{}])) == ("pre_mlp", "input", "shuffled")
    assert spaces_of(example_atlas([{}], GATED)) == ("pre_mlp", "gradient", "gate", "up", "shuffled")
    gate = replace(GATED, embedding="gate")
    assert spaces_of(example_atlas([{}], gate)) == ("pre_mlp", "gate", "up", "shuffled")


def test_a_number_of_the_comparison_is_found_by_kind_metric_and_statistic() -> None:
    values = [{"silhouette": value} for value in (0.1, 0.2, 0.6)]
    table = compare_spaces(example_atlas(values, pre_mlp=[{}] * 3, shuffled=[{}] * 3))
    assert value_of(table, "input", "silhouette") == pytest.approx(0.3)
    assert value_of(table, "input", "silhouette", "median") == 0.2
    assert value_of(table, "pre_mlp", "silhouette") == pytest.approx(0.4)


@pytest.mark.parametrize("name", MANIFESTS)
def test_table_1_has_a_column_per_space_and_no_nan(name: str) -> None:
    atlas = compared_atlas(MANIFESTS[name])
    kinds = spaces_of(atlas)
    table = table1(compare_spaces(atlas, kinds), "mean")
    assert list(table) == [EMBEDDING_NAMES[kind] for kind in kinds]
    assert table.index.tolist() == [METRIC_TITLES[metric] for metric in COMPARED_METRICS]
    assert list(table.loc["intra-cluster distance"])[:2] == ["0.300 ± 0.000", "0.200 ± 0.000"]
    assert table.loc["agreement with key tokens, equal number of clusters"].iloc[-1] == UNDEFINED
    assert not table.map(lambda cell: "nan" in cell).any(axis=None)


def test_a_cell_holds_half_the_width_of_the_interval() -> None:
    rows = [
        {"kind": "input", "metric": metric, "statistic": name, "value": value, "low": 0.1, "high": 0.3, "n": 5}
        for metric in COMPARED_METRICS
        for name, value in (("mean", 0.25), ("median", 0.2))
    ]
    assert table1(pd.DataFrame(rows), "mean").to_numpy().tolist() == [["0.250 ± 0.100"]] * len(COMPARED_METRICS)
    assert table1(pd.DataFrame(rows), "median").columns.name == "median"


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_paired_table_has_differences_and_shares(name: str) -> None:
    table = paired_table(compared_atlas(MANIFESTS[name]))
    other, control = EMBEDDING_NAMES["pre_mlp"], EMBEDDING_NAMES["shuffled"]
    assert list(table) == [f"minus {other}", f"share above {other}", f"minus {control}", f"share above {control}"]
    rows = {label: list(row) for label, row in table.iterrows()}
    assert rows["silhouette, equal number of clusters"] == ["0.100 ± 0.000", "100%", "-0.050 ± 0.000", "0%"]
    agreement = rows["agreement with key tokens, equal number of clusters"]
    assert agreement[1:] == ["50%", UNDEFINED, UNDEFINED]


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_of_a_real_atlas_every_number_is_there(architecture: str, own_atlas: Callable[[str], Atlas]) -> None:
    atlas = own_atlas(architecture)
    for kind in spaces_of(atlas):
        atlas.metrics(kind, progress=False)
    found = separation(atlas, min_examples=5)
    for distances in (found.pre_mlp, found.own, found.control):
        assert 0 < distances.within < distances.between < 2
    for difference in (found.silhouette_over_pre_mlp, found.agreement_over_control):
        assert difference.low <= difference.value <= difference.high and not math.isnan(difference.value)
    assert paired_table(atlas, min_examples=5).shape == (len(COMPARED_METRICS), 4)
