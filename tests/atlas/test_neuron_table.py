"""The table of every neuron's metrics against a slow loop over the public functions and scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.cluster.hierarchy import fcluster
from sklearn.metrics import adjusted_rand_score, silhouette_score

from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.build import build_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.neuron_table import EXTRA, survey
from nbkit.errors import NbkitError
from nbkit.method.clusters import cosine_distances
from nbkit.method.metrics import Polysemanticity, concentration, polysemanticity
from nbkit.models import LanguageModel
from tests.examples.tiny_models import D_MLP, N_LAYERS, random_contexts

HEAD = ["layer", "index", "n_examples", "max_activation"]
KINDS = (
    ("input", "gradient", "centered", "pre_mlp", "shuffled"),
    ("gate", "up", "gradient", "centered", "pre_mlp", "shuffled"),
)
CASES = [(name, kind) for name in ("gpt2", "llama") for kind in KINDS[name == "llama"]]


@pytest.fixture
def atlas(own_atlas: Callable[[str], Atlas]) -> Callable[[str], Atlas]:
    """Copies of atlases, into which tables of metrics may be written."""
    return own_atlas


def silhouette(distances: np.ndarray, labels: np.ndarray) -> float:
    if not 1 < len(set(labels)) < len(labels):
        return math.nan
    return float(silhouette_score(distances, labels, metric="precomputed"))


def slow_row(atlas: Atlas, layer: int, index: int, kind: str) -> dict[str, Any]:
    """A row of the table by the public functions, SciPy's cut and scikit-learn's scores."""
    neuron = atlas.neuron(layer, index)
    row: dict[str, Any] = {"layer": layer, "index": index, "n_examples": len(neuron.examples)}
    row["max_activation"] = neuron.max_activation
    if len(neuron) < 2:
        return row
    clusters, default = neuron.clusters(neuron.reads.cut if kind == "centered" else 0.5, kind), neuron.clusters(0.5)
    row |= polysemanticity(neuron.embeddings(kind), clusters.labels)._asdict()
    texts = [atlas.token_strings([atlas.tokens[c, p]])[0] for c, p in zip(neuron.context, neuron.position, strict=True)]
    words = [text.strip().casefold() for text in texts]
    sizes = sorted(np.bincount(clusters.labels), reverse=True)
    row["second_share"] = sizes[1] / len(neuron) if len(sizes) > 1 else 0.0
    row["concentration"] = concentration(neuron.embeddings(kind))
    row["token_agreement"] = adjusted_rand_score(words, clusters.labels)
    matched = fcluster(clusters.linkage, default.n_clusters, "maxclust")
    assert len(set(matched)) == default.n_clusters
    row["silhouette_matched"] = silhouette(cosine_distances(neuron.embeddings(kind)), matched)
    row["token_agreement_matched"] = adjusted_rand_score(words, matched)
    return row


@pytest.mark.parametrize(("architecture", "kind"), CASES)
def test_equals_a_slow_loop_over_the_public_functions(
    architecture: str, kind: str, atlas: Callable[[str], Atlas]
) -> None:
    opened = atlas(architecture)
    table = opened.metrics(kind, progress=False)
    assert list(table) == [*HEAD, *Polysemanticity._fields, *EXTRA]
    assert table[["layer", "index"]].to_numpy().tolist() == [[la, i] for la in range(N_LAYERS) for i in range(D_MLP)]
    rows = [slow_row(opened, 1, index, kind) for index in range(D_MLP)]
    expected = pd.DataFrame(rows, columns=list(table))
    actual = table[table["layer"] == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(actual, expected, check_dtype=False, rtol=1e-6, atol=1e-9)
    assert actual["n_clusters"].max() > 2 and actual["silhouette"].notna().sum() > 2


def test_agreement_tells_parts_of_characters_apart(scripts_atlas: Atlas) -> None:
    vocabulary = scripts_atlas.vocabulary.set_index("id")["bytes"]

    def word(token: int) -> str:
        try:
            return str(vocabulary[token].decode().strip().casefold())
        except UnicodeDecodeError:
            return f"part {token}"

    table = scripts_atlas.neurons.dropna(subset="token_agreement")
    parts = 0
    for layer, index, agreement in zip(table["layer"], table["index"], table["token_agreement"], strict=True):
        neuron = scripts_atlas.neuron(layer, index)
        words = [word(token) for token in neuron.key_ids]
        labels = neuron.clusters().labels
        assert agreement == pytest.approx(adjusted_rand_score(words, labels), abs=1e-12)
        by_id = adjusted_rand_score(neuron.key_ids, labels)
        parts += sum(each.startswith("part") for each in words)
        if all(each.startswith("part") for each in words):
            assert agreement == pytest.approx(by_id, abs=1e-12)
    assert len(table) > 70 and parts > 500


def test_matched_columns_have_the_default_embedding_s_number_of_clusters(atlas: Callable[[str], Atlas]) -> None:
    opened = atlas("llama")
    default, other = opened.neurons, opened.metrics("pre_mlp", progress=False)
    same = default["n_clusters"] == other["n_clusters"]
    assert 0 < same.sum() < len(same)
    for name in ("silhouette", "token_agreement"):
        # Where the numbers agree nothing is cut again, in the default space never.
        pd.testing.assert_series_equal(other.loc[same, name], other.loc[same, f"{name}_matched"], check_names=False)
        pd.testing.assert_series_equal(default[name], default[f"{name}_matched"], check_names=False)
        assert not other.loc[~same, name].equals(other.loc[~same, f"{name}_matched"])


def test_a_neuron_with_fewer_than_two_examples_has_no_metrics(
    tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    maxima = np.full((N_LAYERS, D_MLP), 1.0)
    maxima[0, :10] = 1e6  # out of reach
    config = AtlasConfig(layers=[0], max_examples=1)
    few = build_atlas(tiny_model("gpt2"), random_contexts(8, 16), tmp_path, config, maxima, progress=False)
    table = few.neurons
    assert set(table["n_examples"]) == {0, 1} and (table["n_examples"][:10] == 0).all()
    assert table[[*Polysemanticity._fields, *EXTRA]].isna().all(axis=None)
    assert table[HEAD].notna().all(axis=None)
    assert few.metrics("pre_mlp", progress=False)["n_clusters"].isna().all()


def test_a_table_is_made_once(atlas: Callable[[str], Atlas], monkeypatch: pytest.MonkeyPatch) -> None:
    opened = atlas("gpt2")
    first = opened.metrics("shuffled", progress=False)
    path = opened.path / "metrics-shuffled.parquet"
    assert path.is_file()

    def again(*_: object, **__: object) -> pd.DataFrame:
        raise AssertionError("the table was made again")

    monkeypatch.setattr("nbkit.atlas.atlas.survey", again)
    pd.testing.assert_frame_equal(open_atlas(opened.path).metrics("shuffled"), first)
    pd.testing.assert_frame_equal(opened.metrics("input"), opened.neurons)  # the default's own is in the atlas
    assert sorted(found.name for found in opened.path.glob("metrics-*")) == ["metrics-shuffled.parquet"]
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(NbkitError, match=r"metrics-shuffled.parquet can't be read"):
        opened.metrics("shuffled")


@pytest.mark.parametrize("kind", ["gate", "up", "sum", "", "../shuffled"])
def test_an_undefined_kind_is_refused(kind: str, tiny_atlas: Callable[[str], Atlas]) -> None:
    with pytest.raises(NbkitError, match=f"no '{kind}' embedding: choose input, gradient, centered, pre_mlp, shuffled"):
        tiny_atlas("gpt2").metrics(kind)


def test_a_layer_travels_light_to_another_process(
    tiny_atlas: Callable[[str], Atlas], send_parcels: Callable[[], None]
) -> None:
    opened = tiny_atlas("llama")
    in_this_one = survey(opened, "gate", progress=False)
    _ = opened.words, opened.neuron(0, 0)  # what has been read must not hinder an atlas's way to another process
    send_parcels()
    pd.testing.assert_frame_equal(survey(opened, "gate", progress=False), in_this_one)


def test_progress_is_shown(tiny_atlas: Callable[[str], Atlas], capsys: pytest.CaptureFixture[str]) -> None:
    survey(tiny_atlas("gpt2"), "pre_mlp")
    assert "metrics (pre_mlp): 100%" in capsys.readouterr().err
    survey(tiny_atlas("gpt2"), "pre_mlp", progress=False)
    assert capsys.readouterr().err == ""
