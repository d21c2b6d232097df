"""Agglomerative clustering against SCC: the table against scikit-learn, the summary against sums by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_score

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.method.clusters import cosine_distances, feature_clusters
from nbkit.studies.whole_model.clustering_methods import COMPARED_METHODS, compare_methods, summarize_methods
from tests.examples.atlas import example_atlas

CASES = [("gpt2", "input"), ("llama", "gradient")]


@pytest.mark.parametrize(("architecture", "own"), CASES)
def test_agreement_and_silhouettes_are_scikit_learn_s(
    architecture: str, own: str, tiny_atlas: Callable[[str], Atlas]
) -> None:
    atlas = tiny_atlas(architecture)
    table = compare_methods(atlas, threshold=0.4, min_examples=10, progress=False)
    enough = atlas.neurons[atlas.neurons["n_examples"] >= 10]
    pairs = list(zip(enough["layer"], enough["index"], strict=True))
    assert list(zip(table["layer"], table["index"], strict=True)) == [pair for pair in pairs for _ in range(2)]
    assert table["kind"].tolist() == [own, "pre_mlp"] * len(pairs)
    for row in table.to_dict("records"):
        neuron = atlas.neuron(row["layer"], row["index"])
        assert row["n_examples"] == len(neuron)
        embeddings = neuron.embeddings(row["kind"])
        labels = {method: feature_clusters(embeddings, 0.4, method).labels for method in COMPARED_METHODS}
        assert row["agreement"] == pytest.approx(adjusted_rand_score(*labels.values()))
        for method, found in labels.items():
            k = len(set(found))
            assert row[f"{method}_clusters"] == k
            assert 0 < row[f"{method}_seconds"] < 60
            expected = math.nan
            if 1 < k < len(found):
                expected = silhouette_score(cosine_distances(embeddings), found, metric="precomputed")
            assert row[f"{method}_silhouette"] == pytest.approx(expected, nan_ok=True)
    assert (table["average_clusters"] > 1).any()


def test_the_sample_is_drawn_with_the_seed(tiny_atlas: Callable[[str], Atlas]) -> None:
    def drawn(seed: int) -> list[tuple[int, int]]:
        table = compare_methods(tiny_atlas("gpt2"), n_neurons=5, seed=seed, progress=False)
        return list(zip(table["layer"], table["index"], strict=True))[::2]

    assert len(set(drawn(0))) == 5
    assert drawn(0) == sorted(drawn(0)) == drawn(0)
    assert drawn(0) != drawn(1)


def test_too_little_text_is_refused() -> None:
    with pytest.raises(NbkitError, match=r"no neuron has 20 examples \(the most is 19\)"):
        compare_methods(example_atlas([{"n_examples": 19}]), progress=False)


def test_the_summary_is_means_and_a_ratio_of_sums() -> None:
    table = pd.DataFrame(
        {
            "kind": ["gradient", "pre_mlp", "gradient", "pre_mlp"],
            "agreement": [1.0, 0.5, 0.6, 0.7],
            "average_clusters": [2, 3, 4, 5],
            "scc_clusters": [2, 6, 3, 8],
            "average_silhouette": [0.5, math.nan, 0.3, 0.2],
            "scc_silhouette": [0.5, 0.1, math.nan, 0.2],
            "average_seconds": [1.0, 1.0, 3.0, 1.0],
            "scc_seconds": [4.0, 1.0, 4.0, 2.0],
        }
    )
    summary = summarize_methods(table).cells
    assert list(summary) == ["neuron embedding (gradient)", "pre-MLP vector"]
    expected = {
        "neurons": (2, 2),
        "agreement (adjusted Rand index)": (0.8, 0.6),
        "share with the same partition": (0.5, 0.0),
        "clusters, agglomerative": (3, 4),
        "clusters, SCC": (2.5, 7),
        "silhouette, agglomerative": (0.5, 0.2),
        "silhouette, SCC": (0.5, 0.2),
        "neurons with a silhouette": (1, 1),
        "SCC time / agglomerative time": (2.0, 1.5),
    }
    assert summary.index.tolist() == list(expected)
    for name, values in expected.items():
        assert list(summary.loc[name]) == pytest.approx(values), name
