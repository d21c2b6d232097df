"""Neurons that hang on one coordinate, planted and measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import hadamard

import nbkit
from nbkit.atlas.atlas import Atlas
from nbkit.method.clusters import feature_clusters
from nbkit.method.metrics import adjusted_rand_index, polysemanticity_from_distances
from nbkit.studies.embedding_spaces.outlier_treatments import TREATMENTS, compare_treatments, outliers, treatments_table
from nbkit.studies.shared.outliers import LayerCoordinates, hang, share_that_hangs
from nbkit.studies.whole_model.one_coordinate import coordinates_table, one_coordinate, without_coordinates

BIG = 5
N, D, UNITS = 240, 17, 8


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    """Inputs of eight directions that no coordinate is much of, and in coordinate 5 a sign times ten. The first half of
    the units reads it, the second hardly."""
    rng = np.random.default_rng(0)
    directions = np.insert(hadamard(D - 1)[1 : UNITS + 1] / 4, BIG, 0, axis=1)
    read = directions[np.arange(N) % UNITS] + 0.05 * rng.normal(size=(N, D))
    read[:, BIG] = 10 * np.where(rng.random(N) < 0.5, 1, -1) + 0.1 * rng.normal(size=N)
    weights = 8 * directions
    weights[:, BIG] = np.where(np.arange(UNITS) < UNITS // 2, 0.6, 1e-4)
    texts = [f"input {i}" for i in range(N)]
    config = nbkit.AtlasConfig(threshold=0.1, embedding="paper")
    path: Path = tmp_path_factory.mktemp("planted") / "atlas"
    return nbkit.atlas_from_arrays(read, weights, texts, path, config=config, progress=False)


def test_the_coordinate_that_stands_out_is_found(planted: Atlas) -> None:
    found = LayerCoordinates.of(planted, 0)
    assert found.outliers.tolist() == [BIG]
    read = planted.neuron(0, 0).pre_mlp
    rest = np.delete(np.arange(D), BIG)
    for changed in (found.standardized(read), found.left_out(read)):
        np.testing.assert_array_equal(changed[:, rest], read[:, rest])
    expected = (read[:, BIG] - found.mean[BIG]) / found.deviation[BIG] * np.median(found.deviation)
    np.testing.assert_allclose(found.standardized(read)[:, BIG], expected)
    assert not found.left_out(read)[:, BIG].any()


def test_a_coordinate_that_stands_out_and_does_not_vary_is_centered() -> None:
    read = np.array([[50.0, 1, 9], [50.0, 3, 1]])
    of_layer = LayerCoordinates(np.array([0, 2]), read.mean(axis=0), read.std(axis=0))
    np.testing.assert_allclose(of_layer.standardized(read), [[0, 1, 1], [0, 3, -1]])
    np.testing.assert_allclose(of_layer.standardized(read + np.eye(3)[0])[:, 0], 1)


def test_neurons_that_hang_on_it_are_counted(planted: Atlas) -> None:
    assert hang(planted, 10).tolist() == [True] * 4 + [False] * 4
    found = one_coordinate(planted, min_examples=10)
    assert found.share.value == share_that_hangs(planted, 10).value == 0.5
    assert (found.most_common, found.most_common_share, found.width) == (str(BIG), 1.0, D)
    several = planted.neurons.nlargest(10, "inter_cluster")
    assert (found.n_farthest, found.farthest_in_outliers) == (len(several), int((several["index"] < 4).sum()))
    assert 1 < found.median_participation < D


def test_without_their_coordinate_their_clusters_are_others(planted: Atlas) -> None:
    table = without_coordinates(planted, 100, min_examples=10)
    assert table["hangs"].tolist() == [True] * 4 + [False] * 4
    for row in table.to_dict("records"):
        embeddings = planted.neuron(0, row["index"]).embeddings()
        before = feature_clusters(embeddings, 0.5)
        units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
        first, second = np.argsort(-(units**2).mean(axis=0))[:2]
        for name, coordinate in (("largest", first), ("second", second)):
            after = feature_clusters(np.delete(embeddings, coordinate, axis=1), 0.5)
            assert row[f"without_{name}"] == after.n_clusters
            expected = adjusted_rand_index(before.labels, after.cut_to(before.n_clusters).labels)
            several = before.n_clusters > 1  # any tree agrees with one cluster
            assert row[f"kept_{name}"] == pytest.approx(expected if several else np.nan, nan_ok=True)
        assert row["before"] == before.n_clusters
    hanging = table[table["hangs"]]
    assert (hanging["kept_largest"] < 0.5).all(), "they were two by the sign of the coordinate"
    written = coordinates_table(table).cells
    assert written["neurons"].tolist() == [8, 4, 4]
    assert written.loc["hang on one coordinate", "clusters"].value == pytest.approx(hanging["before"].mean())
    assert 4 < (table["before"] > 1).sum() < 8, "one cluster is left among those that do not hang on it"
    agreement = written.loc["do not", "agreement, without the second"].value
    assert agreement == pytest.approx(table["kept_second"][4:][table["before"] > 1].mean())
    pd.testing.assert_frame_equal(table.head(0), without_coordinates(planted, 3, min_examples=10).head(0))
    assert len(without_coordinates(planted, 3, min_examples=10)) == 3


def test_a_neuron_that_lies_in_one_coordinate_alone_is_undefined_without_it(tmp_path: Path) -> None:
    read = np.array([[x, 0.0, 0.0] for x in range(1, 13)] + [[0.0, x, x % 3 - 1] for x in range(1, 13)])
    texts = [f"input {i}" for i in range(len(read))]
    config = nbkit.AtlasConfig(threshold=0.1, embedding="paper")
    weights = np.eye(3)[:2] + np.eye(3)[2]
    atlas = nbkit.atlas_from_arrays(read, weights, texts, tmp_path / "a", config=config, progress=False)
    table = without_coordinates(atlas, 2, min_examples=5)
    assert len(table) == 2 and table["without_largest"].isna().tolist() == [True, True]
    assert table["without_second"].notna().all() and table["before"].notna().all()
    assert coordinates_table(table).cells["neurons"].tolist()[0] == 2


def test_table_1_under_each_treatment(planted: Atlas) -> None:
    table = compare_treatments(planted, 100, min_examples=10)
    assert len(table) == UNITS * len(TREATMENTS) * 3 and (table["outliers"] == 1).all()
    wide: Any = table.set_index(["treatment", "kind", "index"]).sort_index()
    as_it_is = planted.neurons.set_index("index")
    for name in ("intra_cluster", "inter_cluster", "n_clusters"):
        for kind in ("input", "pre_mlp"):
            expected = planted.metrics(kind, progress=False).set_index("index")[name]
            np.testing.assert_allclose(wide.loc[("as_they_are", kind)][name], expected, rtol=1e-6)
    for index in range(UNITS):
        neuron = planted.neuron(0, index)
        for kind, rest in (("input", neuron.embeddings()), ("pre_mlp", neuron.pre_mlp)):
            left = feature_clusters(np.delete(rest, BIG, axis=1), 0.5)
            measured = polysemanticity_from_distances(left.distances, left.labels)
            for name in ("n_clusters", "intra_cluster", "inter_cluster"):
                assert wide.loc[("left_out", kind, index), name] == pytest.approx(getattr(measured, name), nan_ok=True)
    found = outliers(planted, table, 10)
    assert found.share_that_hangs.value == 0.5
    assert (found.n_neurons, found.fewest, found.most, found.width) == (UNITS, 1, 1, D)
    assert found.as_they_are.clusters == pytest.approx(as_it_is["n_clusters"].mean())
    difference = wide.loc[("left_out", "input")] - wide.loc[("left_out", "shuffled")]
    assert found.left_out.silhouette_over_control.value == pytest.approx(difference["silhouette_matched"].mean())
    cells = treatments_table(table).cells
    assert list(cells.index.unique(0)) == list(TREATMENTS.values())
    assert list(cells.columns) == ["neuron embedding", "pre-MLP vector", "another neuron's weights (control)"]
