"""Hidden neurons with other images and other weights: loops from the definitions, and what must not change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_score

from nbkit.errors import NbkitError
from nbkit.method.clusters import cosine_distances, feature_clusters
from nbkit.method.controls import other_units, random_inputs, strongest_inputs
from nbkit.mnist.hidden import Hidden
from nbkit.mnist.images import MEAN, STD
from nbkit.mnist.view import LatentView
from nbkit.studies.hidden_layer.spaces import IMAGE_KINDS, WEIGHT_KINDS, compare_hidden_spaces, strongest_images
from tests.examples.hidden import example_hidden, hidden_view

HIDDEN: Hidden = example_hidden(120)
VIEW: LatentView = hidden_view(HIDDEN, max_examples=30)
THRESHOLD = 0.3


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return compare_hidden_spaces(HIDDEN, VIEW, THRESHOLD, seed=4)


@pytest.mark.parametrize("neuron", [0, 17, 63])
def test_every_figure_equals_its_definition(table: pd.DataFrame, neuron: int) -> None:
    images = ((HIDDEN.test_pixels - MEAN) / STD).double().numpy()
    w, labels = HIDDEN.mlp.into.weight.double().numpy(), HIDDEN.test_labels.numpy()
    order = np.argsort(-HIDDEN.test[:, neuron].numpy(), kind="stable")
    places = {
        "examples": np.flatnonzero(HIDDEN.test[:, neuron] > 0)[:30],
        "random": random_inputs(120, 100, 4),
        "strongest": np.sort([i for i in order[:100] if HIDDEN.test[i, neuron] > 0]),
    }
    weights = {"own": w[neuron], "shuffled": w[other_units(64, 4)[neuron]], "none": np.ones(784)}
    rows = table[table["neuron"] == neuron].to_dict("records")
    mine = {(row["images"], row["weights"]): row for row in rows}
    for of in IMAGE_KINDS:
        for by in WEIGHT_KINDS:
            found, chosen = mine[of, by], places[of]
            distances = cosine_distances(images[chosen] * weights[by])
            pairs = distances[~np.eye(len(chosen), dtype=bool)]
            tree = feature_clusters(images[chosen] * weights[by], THRESHOLD)
            ten = tree.cut_to(10).labels
            assert found["mean_distance"] == pytest.approx(pairs.mean(), abs=1e-6)
            assert found["max_distance"] == pytest.approx(pairs.max(), abs=1e-6)
            assert found["n_clusters"] == tree.n_clusters
            assert found["silhouette"] == pytest.approx(silhouette_score(distances, ten, metric="precomputed"))
            assert found["agreement"] == pytest.approx(adjusted_rand_score(labels[chosen], ten))
            assert found["purity"] == np.bincount(labels[chosen]).max() / len(chosen)


def test_a_row_for_every_neuron_images_and_weights(table: pd.DataFrame) -> None:
    assert len(table) == 64 * len(IMAGE_KINDS) * len(WEIGHT_KINDS)
    assert not table.duplicated(["neuron", "images", "weights"]).any()
    assert table.drop(columns="silhouette").notna().all(axis=None)


def test_the_neuron_s_own_row_is_that_of_its_report(table: pd.DataFrame) -> None:
    own = table[(table["images"] == "examples") & (table["weights"] == "own")].reset_index()
    for name in ("mean_distance", "max_distance", "purity"):
        np.testing.assert_allclose(own[name], VIEW.metrics[name], atol=1e-5)


def test_random_images_without_weights_are_the_same_for_every_neuron(table: pd.DataFrame) -> None:
    mine = table[(table["images"] == "random") & (table["weights"] == "none")]
    assert (mine.drop(columns="neuron").nunique() == 1).all()


def test_the_control_is_another_neuron_s_own(table: pd.DataFrame) -> None:
    """Random images are shared, so a neuron's control there is the donor's own row."""
    rows = table[table["images"] == "random"].pivot(index="neuron", columns="weights", values="mean_distance")
    np.testing.assert_allclose(rows["shuffled"], rows["own"].to_numpy()[other_units(64, 4)], atol=1e-9)


def test_the_strongest_images_take_the_place_of_the_examples(table: pd.DataFrame) -> None:
    strongest = strongest_images(HIDDEN, VIEW, THRESHOLD)
    mine = table[(table["images"] == "strongest") & (table["weights"] == "own")].reset_index()
    for name in ("mean_distance", "max_distance", "n_clusters", "purity"):
        np.testing.assert_allclose(strongest.metrics[name], mine[name], atol=1e-6)
    for neuron in (0, 31):
        np.testing.assert_array_equal(strongest.examples[neuron], strongest_inputs(HIDDEN.test[:, neuron].numpy()))
        assert len(np.unique(strongest.clusters[neuron])) == strongest.metrics["n_clusters"][neuron]
    assert strongest.name == "hidden layer, strongest images"
    pd.testing.assert_series_equal(strongest.metrics["n_examples"], VIEW.metrics["n_examples"])


def test_the_view_that_was_given_stays_as_it_was() -> None:
    before = VIEW.metrics.copy()
    strongest_images(HIDDEN, VIEW, THRESHOLD)
    pd.testing.assert_frame_equal(VIEW.metrics, before)


def test_a_neuron_that_nothing_activates_has_no_rows_and_no_figures() -> None:
    hidden = example_hidden(40)
    hidden.mlp.into.bias[5] = -1000
    hidden.test[:, 5] = 0
    view = hidden_view(hidden)
    assert set(range(64)) - set(compare_hidden_spaces(hidden, view)["neuron"]) == {5}
    strongest = strongest_images(hidden, view)
    assert len(strongest.examples[5]) == len(strongest.clusters[5]) == 0
    assert strongest.metrics.loc[5, ["mean_distance", "n_clusters", "purity"]].isna().all()


def test_a_threshold_that_is_no_distance_is_refused() -> None:
    for threshold in (0, 1.5):
        with pytest.raises(NbkitError, match="no distance to cut at"):
            compare_hidden_spaces(HIDDEN, VIEW, threshold)
        with pytest.raises(NbkitError, match="no distance to cut at"):
            strongest_images(HIDDEN, VIEW, threshold)
