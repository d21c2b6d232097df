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
from nbkit.studies.embedding_spaces.findings import Distances, Moves, paired_table, separation, table1
from nbkit.studies.shared.estimate import UNDEFINED
from nbkit.studies.shared.space_comparison import COMPARED_METRICS, compare_spaces, spaces_of, value_of
from tests.examples.atlas import GATED, MANIFESTS, compared_atlas, example_atlas


def _numbers(distances: Distances) -> tuple[float, float]:
    return distances.within.value, distances.between.value


@pytest.mark.parametrize("name", MANIFESTS)
def test_what_table_1_supports_follows_its_numbers(name: str) -> None:
    found = separation(compared_atlas(MANIFESTS[name]))
    assert _numbers(found.pre_mlp) == pytest.approx((0.3, 0.6))
    assert _numbers(found.own) == pytest.approx((0.2, 0.7))
    assert _numbers(found.control) == pytest.approx((0.25, 0.65))
    assert found.moved == Moves(pytest.approx(-0.1), pytest.approx(0.1))
    assert found.control_moved == Moves(pytest.approx(-0.05), pytest.approx(0.05))
    over, below = found.silhouette_over_pre_mlp.value, found.silhouette_over_control.value
    assert [over.value, over.low, over.high] == pytest.approx([0.1] * 3) and over.sign == 1
    assert [below.value, below.low, below.high] == pytest.approx([-0.05] * 3) and below.sign == -1


def test_a_difference_that_is_zero_on_average_has_no_sign_and_one_that_no_neuron_has_is_missing() -> None:
    found = separation(compared_atlas())
    zero, missing = found.agreement_over_pre_mlp.value, found.agreement_over_control.value
    assert zero.value == pytest.approx(0) and zero.low < 0 < zero.high and zero.sign == 0
    assert np.isnan([missing.value, missing.low, missing.high]).all()
    assert f"{missing:.3f}" == "not comparable with"


def test_neurons_with_too_few_examples_are_left_out_of_every_number() -> None:
    few = {"n_examples": 19, "intra_cluster": 9.0, "silhouette_matched": 9.0}
    atlas = example_atlas([{}] * 4 + [few], pre_mlp=[{}] * 5, shuffled=[{}] * 5)
    found = separation(atlas)
    assert found.own.within.value == pytest.approx(0.2) and found.silhouette_over_pre_mlp.value.value == 0
    assert (found.n_neurons, found.at_least) == (4, 20)
    assert separation(atlas, min_examples=19).own.within.value == pytest.approx((4 * 0.2 + 9) / 5)
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
    table = table1(compare_spaces(atlas, kinds), "mean").written
    assert list(table) == [*(EMBEDDING_NAMES[kind] for kind in kinds), "neurons"]
    assert table.index.tolist() == [METRIC_TITLES[metric] for metric in COMPARED_METRICS]
    assert list(table.loc["intra-cluster distance"])[:2] == ["0.30", "0.20"]
    assert table.loc["agreement with key tokens, equal number of clusters"].tolist()[-2:] == [UNDEFINED, "0 to 40"]
    assert not table.map(lambda cell: "nan" in cell).any(axis=None)


def test_a_cell_holds_half_the_width_of_the_interval() -> None:
    rows = [
        {"kind": "input", "metric": metric, "statistic": name, "value": value, "low": 0.1, "high": 0.3, "n": 5}
        for metric in COMPARED_METRICS
        for name, value in (("mean", 0.25), ("median", 0.2))
    ]
    table = pd.DataFrame(rows)
    assert table1(table, "mean").written.to_numpy().tolist() == [["0.25 ± 0.10", "5"]] * len(COMPARED_METRICS)
    assert table1(table, "median").written.iloc[0, 0] == "0.20 ± 0.10"


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_paired_table_has_differences_ties_and_the_neurons_that_count(name: str) -> None:
    table = paired_table(compared_atlas(MANIFESTS[name])).written
    other, control = (f"minus {EMBEDDING_NAMES[kind]}" for kind in ("pre_mlp", "shuffled"))
    assert list(table) == ["mean difference", "above / %", "equal / %", "below / %", "neurons"]
    rows = {label: list(row) for label, row in table.iterrows()}
    silhouette, agreement = (f"{of}, equal number of clusters" for of in ("silhouette", "agreement with key tokens"))
    assert rows[other, silhouette] == ["+0.10", "100", "0", "0", "40"]
    assert rows[control, silhouette] == ["−0.05", "0", "0", "100", "40"]
    assert rows[other, METRIC_TITLES["n_clusters"]][1:] == ["0", "100", "0", "40"]
    assert rows[other, agreement][1:4] == ["50", "0", "50"]
    assert rows[control, agreement] == [*[UNDEFINED] * 4, "0"]


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_of_a_real_atlas_every_number_is_there(architecture: str, own_atlas: Callable[[str], Atlas]) -> None:
    atlas = own_atlas(architecture)
    for kind in spaces_of(atlas):
        atlas.metrics(kind, progress=False)
    found = separation(atlas, min_examples=5)
    for distances in (found.pre_mlp, found.own, found.control):
        assert 0 < distances.within.value < distances.between.value < 2
    for difference in (found.silhouette_over_pre_mlp.value, found.agreement_over_control.value):
        assert difference.low <= difference.value <= difference.high and not math.isnan(difference.value)
    assert paired_table(atlas, min_examples=5).cells.shape == (2 * len(COMPARED_METRICS), 5)
