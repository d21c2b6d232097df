"""The table of features against a slow loop over the neurons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.build import build_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.errors import NbkitError
from nbkit.features.table import features_of
from nbkit.method.clusters import cosine_distances
from nbkit.models import LanguageModel
from tests.examples.tiny_models import D_MLP, N_LAYERS, random_contexts


@pytest.fixture
def atlas(own_atlas: Callable[[str], Atlas]) -> Atlas:
    return own_atlas("llama")


def slow_rows(atlas: Atlas) -> Iterator[tuple[int, ...]]:
    for layer in atlas.layers:
        for index in range(atlas.manifest.site(layer).n_units):
            neuron = atlas.neuron(layer, index)
            labels = neuron.clusters(0.5).labels if len(neuron) else np.empty(0)
            for place in range(len(set(labels))):
                members = [i for i, label in enumerate(labels) if label == place]
                distances = cosine_distances(neuron.embeddings()[members])
                tokens = Counter(int(atlas.tokens[neuron.context[i], neuron.position[i]]) for i in members)
                key_id = min(tokens, key=lambda token, tokens=tokens: (-tokens[token], token))  # type: ignore[misc]
                medoid = members[int(distances.mean(axis=1).round(12).argmin())]
                yield layer, index, place, len(members), medoid, key_id


def test_equals_a_slow_loop_over_the_neurons(atlas: Atlas) -> None:
    table = features_of(atlas, progress=False)
    assert list(table) == ["layer", "index", "place", "size", "medoid", "key_id"]
    assert [tuple(row) for row in table.to_numpy().tolist()] == list(slow_rows(atlas))
    assert (table["size"] > 1).any() and table["place"].max() > 1
    clustered = atlas.neurons.dropna(subset="n_clusters")
    counts = table.groupby(["layer", "index"]).size().reindex(pd.MultiIndex.from_frame(clustered[["layer", "index"]]))
    assert counts.to_list() == clustered["n_clusters"].to_list()


def test_a_neuron_without_examples_has_no_feature_and_one_example_is_one(
    tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    maxima = np.full((N_LAYERS, D_MLP), 1.0)
    maxima[0, :10] = 1e6  # out of reach
    config = AtlasConfig(layers=[0], max_examples=1)
    few = build_atlas(tiny_model("gpt2"), random_contexts(8, 16), tmp_path, config, maxima, progress=False)
    table = features_of(few, progress=False)
    assert table["index"].to_list() == np.flatnonzero(few.neurons["n_examples"] == 1).tolist()
    assert set(table["size"]) == {1} and set(table["place"]) == {0} == set(table["medoid"])


def test_the_table_is_made_once(
    atlas: Atlas, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = features_of(atlas)
    assert "features: 100%" in capsys.readouterr().err
    monkeypatch.setattr("nbkit.features.table._find", None)
    pd.testing.assert_frame_equal(features_of(open_atlas(atlas.path)), first)
    path = atlas.path / "features.parquet"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(NbkitError, match=r"features.parquet can't be read"):
        features_of(atlas)


def test_a_layer_travels_light_to_another_process(atlas: Atlas, send_parcels: Callable[[], None]) -> None:
    _ = atlas.neurons, atlas.neuron(0, 0)  # what has been read must not hinder an atlas's way to another process
    send_parcels()
    assert [tuple(row) for row in features_of(atlas, progress=False).to_numpy().tolist()] == list(slow_rows(atlas))
