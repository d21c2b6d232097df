"""Neurons in the basis of an autoencoder's features: against loops, for any architecture, and where it is refused."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import nbkit
from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.neuron import Neuron
from nbkit.errors import NbkitError
from nbkit.features.in_basis import FeatureBasis, in_basis
from nbkit.method.clusters import feature_clusters
from nbkit.method.metrics import polysemanticity
from nbkit.models import LanguageModel, activation_function
from nbkit.sae.autoencoder import SparseAutoencoder
from tests.examples.tiny_models import D_MLP, D_MODEL, PADDED, PRUNED, random_contexts
from tests.units.test_latents import ARCHITECTURES, made_up

HOOK = "blocks.1.mlp.hook_in"
AUTOENCODERS = [name for name in ARCHITECTURES if not name.startswith("transcoder")]


def reading(hook: str | None = HOOK, d_in: int = D_MODEL, **fields: Any) -> SparseAutoencoder:
    """An autoencoder of random weights that reads at a place."""
    sae = made_up(d_in, **(fields or {"activation": "topk", "k": 4}))
    sae.hook = hook
    return sae


def slow_weights(neuron: Neuron) -> np.ndarray:
    """The mean gradient of a neuron's activation over its examples, by autograd; of a plain neuron its weights."""
    own = neuron.weights
    if own.w_gate is None:
        return own.w_in
    h = torch.tensor(neuron.pre_mlp, requires_grad=True)
    gate, up = (torch.tensor(w) for w in (own.w_gate, own.w_in))
    value = activation_function(neuron.activation)(h @ gate + own.b_gate) * (h @ up + own.b_in)
    (gradient,) = torch.autograd.grad(value.mean(), h)
    return gradient.sum(0).numpy()


def slow(basis: FeatureBasis, neuron: Neuron, every_vector: np.ndarray) -> tuple[np.ndarray, list[tuple[Any, ...]]]:
    """Embeddings and rows of named clusters, straight from what they are said to be."""
    sae, w = basis.sae, slow_weights(neuron)
    directions, codes = sae.w_dec.detach().float().numpy(), sae.encode(neuron.pre_mlp).detach().float().numpy()
    if sae.architecture.normalize_activations == "constant_norm_rescale":
        codes = codes * np.linalg.norm(neuron.pre_mlp, axis=1, keepdims=True) / D_MODEL**0.5
    if sae.architecture.normalize_activations == "layer_norm":
        codes = codes * neuron.pre_mlp.std(axis=1, ddof=1, keepdims=True)
    embeddings, pushes = [], np.zeros_like(codes)
    for i, h in enumerate(neuron.pre_mlp):
        for f in range(sae.d_sae):
            pushes[i, f] = max(0.0, codes[i, f] * (directions[f] @ w))
        features, centered = pushes[i] @ directions, h - every_vector.mean(axis=0)
        embeddings.append([*centered / np.linalg.norm(centered), *features / (np.linalg.norm(features) or 1)])
    labels, rows = feature_clusters(np.array(embeddings)).labels, []
    for label in range(labels.max() + 1):
        parts = []
        for of in (labels == label, labels != label):
            mean = pushes[of].mean(axis=0) if of.any() else np.zeros(sae.d_sae)
            parts.append(mean / (mean.sum() or 1))
        contrast = parts[0] - parts[1]
        best = sorted((f for f in range(sae.d_sae) if contrast[f] > 0), key=lambda f: -contrast[f])[:3]
        rows.append((label, int((labels == label).sum()), best, *(part[best] for part in parts)))
    return np.array(embeddings), rows


def vectors_of(atlas: Atlas) -> dict[tuple[int, int], np.ndarray]:
    """The vectors that neurons of a layer read, by context and position."""
    return {
        (context, position): vector
        for neuron in atlas.iterate(1)
        for some in (neuron, neuron.strongest)
        for context, position, vector in zip(some.context.tolist(), some.position.tolist(), some.pre_mlp, strict=True)
    }


def check_equal(table: pd.DataFrame, rows: list[tuple[Any, ...]]) -> None:
    assert table[["cluster", "size"]].to_numpy().tolist() == [list(row[:2]) for row in rows]
    for mine, row in zip(table.itertuples(), rows, strict=True):
        assert list(mine.features) == row[2]
        np.testing.assert_allclose(mine.shares, row[3], atol=1e-5)
        np.testing.assert_allclose(mine.elsewhere, row[4], atol=1e-5)


@pytest.fixture
def atlas(own_atlas: Callable[[str], Atlas]) -> Atlas:
    return own_atlas("llama")


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
@pytest.mark.parametrize("kind", AUTOENCODERS)
def test_equals_loops_for_any_autoencoder(architecture: str, kind: str, tiny_atlas: Callable[[str], Atlas]) -> None:
    atlas = tiny_atlas(architecture)
    basis = in_basis(atlas, reading(**ARCHITECTURES[kind]))
    every = np.array(list(vectors_of(atlas).values()))
    for index in range(0, D_MLP, 7):
        own = basis.neuron(index)
        embeddings, rows = slow(basis, own.neuron, every)
        np.testing.assert_allclose(own.embeddings, embeddings, atol=1e-5)
        check_equal(own.named_clusters(), rows)
        assert own.polysemanticity() == polysemanticity(own.embeddings, own.clusters().labels)


def test_contributions_add_up_to_what_the_reconstruction_gives_the_neuron(tiny_atlas: Callable[[str], Atlas]) -> None:
    for norm in ("none", "constant_norm_rescale"):
        basis = in_basis(tiny_atlas("gpt2"), reading(normalize_activations=norm))
        own = basis.neuron(3)
        assert own.neuron.weights.w_gate is None
        scale = np.linalg.norm(own.neuron.pre_mlp, axis=1) / D_MODEL**0.5 if norm != "none" else 1
        rebuilt = basis.sae(own.neuron.pre_mlp).reconstruction.detach().numpy()
        bias = scale * (basis.sae.b_dec.detach().numpy() @ own.neuron.w_in)
        np.testing.assert_allclose(own.contributions.sum(axis=1) + bias, rebuilt @ own.neuron.w_in, rtol=1e-3)


def test_the_table_of_a_layer_is_that_of_its_neurons_and_made_once(
    atlas: Atlas, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sae, other = reading(), reading(activation="topk", k=3)
    basis = in_basis(atlas, sae)
    table = basis.named_clusters()
    assert "named clusters: 100%" in capsys.readouterr().err
    assert list(table) == ["layer", "index", "cluster", "size", "features", "shares", "elsewhere"]
    assert table["index"].drop_duplicates().tolist() == list(range(D_MLP)) and set(table["layer"]) == {1}
    for index in (0, 5, D_MLP - 1):
        mine = table[table["index"] == index].reset_index(drop=True)
        check_equal(mine, [row[2:] for row in basis.neuron(index).named_clusters().itertuples(index=False)])
    assert (atlas.path / f"named-clusters-1-{sae.sha256}.parquet").is_file()
    assert (table["size"] > 1).any() and table["features"].map(len).max() == 3
    in_basis(atlas, other).named_clusters(progress=False)
    assert (atlas.path / f"named-clusters-1-{other.sha256}.parquet").is_file() and sae.sha256 != other.sha256
    monkeypatch.setattr(FeatureBasis, "_name_all", None)
    again = in_basis(open_atlas(atlas.path), pickle.loads(pickle.dumps(sae))).named_clusters()
    pd.testing.assert_frame_equal(again, table)


def test_a_neuron_without_clusters_costs_one_row(pruned_atlas: Atlas) -> None:
    basis = in_basis(pruned_atlas, reading())
    table = basis.named_clusters(progress=False)
    bad = table[table["size"] == 0]
    assert bad["index"].tolist() == [PRUNED, PADDED] and set(bad["cluster"]) == {-1}
    assert bad["features"].map(len).tolist() == [0, 0]
    assert table["index"].nunique() == D_MLP
    for index in (PRUNED, PADDED):
        own = basis.neuron(index)
        assert not own.has_clusters
        with pytest.raises(NbkitError, match=rf"L1 N{index} has no clusters in the basis of features"):
            own.named_clusters()
    assert len(basis.neuron(PADDED).neuron) == 0 and basis.neuron(PADDED).contributions.shape == (0, 0)


@pytest.mark.parametrize("kind", ["topk", "relu"])
def test_codes_are_those_of_the_autoencoder_however_few_vectors_it_reads_at_a_time(
    kind: str, tiny_atlas: Callable[[str], Atlas], monkeypatch: pytest.MonkeyPatch
) -> None:
    basis = in_basis(tiny_atlas("llama"), reading(**ARCHITECTURES[kind]))
    vectors = np.random.default_rng(0).normal(size=(8, D_MODEL)).astype(np.float32)
    monkeypatch.setattr("nbkit.features.in_basis.UNITS_AT_ONCE", 3)
    features, codes = basis.codes(vectors)
    dense = basis.sae.encode(vectors).numpy()
    assert features.tolist() == np.flatnonzero(dense.any(axis=0)).tolist()
    np.testing.assert_allclose(codes, dense[:, features], rtol=1e-5)
    assert basis.codes(vectors[:0])[1].shape == (0, 0)


def test_an_autoencoder_in_half_precision_is_read(tiny_atlas: Callable[[str], Atlas]) -> None:
    sae = reading().to(torch.bfloat16)
    own = in_basis(tiny_atlas("llama"), sae).neuron(3)
    assert own.codes.dtype == own.directions.dtype == np.float32
    dense = sae.encode(own.neuron.pre_mlp).detach().float().numpy()
    np.testing.assert_array_equal(own.codes, dense[:, own.features])


def test_the_caller_s_autoencoder_may_go_on_training(tiny_atlas: Callable[[str], Atlas]) -> None:
    sae = reading()
    basis, before = in_basis(tiny_atlas("llama"), sae), sae.w_dec.detach().clone()
    with torch.no_grad():
        sae.w_dec.zero_()
    np.testing.assert_array_equal(basis.sae.w_dec, before)
    assert basis.sha256 == basis.sae.sha256 != sae.sha256 and sae.w_dec.requires_grad


def test_features_have_their_own_words_from_an_atlas_of_the_latents(
    atlas: Atlas, tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    sae, model = reading(), tiny_model("llama")
    both = {"blocks.0.hook_resid_post": reading(None), HOOK: sae}
    units, config = nbkit.sae_latents(model, both), nbkit.AtlasConfig(embedding="paper")
    latents = nbkit.build_atlas(units, random_contexts(40, 32), tmp_path / "l", config, progress=False)
    joined = nbkit.join_atlases([atlas, latents], tmp_path / "joined")
    tables = [in_basis(*given).named_clusters(progress=False) for given in ((joined, sae), (atlas, sae, latents))]
    pd.testing.assert_frame_equal(*tables)
    tokens = [[snippet.key_token.strip() or "␣" for snippet in unit.snippets] for unit in latents.iterate(1)]
    for features, all_words in tables[0][["features", "words"]].head(40).to_numpy():
        for feature, words in zip(features, all_words, strict=True):
            assert words.split(" · ")[0] in tokens[feature] if tokens[feature] else words == ""
    assert "words" in in_basis(joined, sae).neuron(3).named_clusters()
    assert "words" not in in_basis(atlas, sae).neuron(3).named_clusters()
    other = made_up(D_MODEL, seed=1)
    other.hook = HOOK
    assert in_basis(joined, other).latents is None
    with pytest.raises(NbkitError, match="holds no latents of this autoencoder"):
        in_basis(atlas, other, latents)
    with pytest.raises(NbkitError, match="has no MLP neurons of a language model"):
        in_basis(latents, sae)


def test_with_folded_weights_the_place_is_what_the_layer_norm_gives(
    tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    config = nbkit.AtlasConfig(layers=[1], weights="folded")
    folded = nbkit.build_atlas(tiny_model("gpt2"), random_contexts(20, 24), tmp_path, config, progress=False)
    assert in_basis(folded, reading("blocks.1.ln2.hook_normalized")).neuron(3).has_clusters
    with pytest.raises(NbkitError, match=r"with folded weights, read blocks\.1\.ln2\.hook_normalized: give"):
        in_basis(folded, reading())


@pytest.mark.parametrize(
    ("sae", "told"),
    [
        (reading(None), r"set its hook, such as blocks\.0\.mlp\.hook_in or blocks\.2\.mlp\.hook_in"),
        (reading("blocks.1.hook_resid_post"), r"native weights, read blocks\.0\.mlp\.hook_in to blocks\.2\.mlp"),
        (reading("blocks.1.ln2.hook_normalized"), "reads 'blocks.1.ln2.hook_normalized', and the neurons"),
        (reading("blocks.7.mlp.hook_in"), "reads 'blocks.7.mlp.hook_in'"),
        (reading("model.layers.1.mlp"), "reads 'model.layers.1.mlp'"),
        (reading(d_out=D_MODEL, apply_b_dec_to_input=False), "predicts another vector than it reads"),
        (reading(d_in=7), f"reads vectors of 7 numbers, and the neurons of layer 1 read {D_MODEL}"),
    ],
)
def test_an_autoencoder_of_another_place_is_refused(
    sae: SparseAutoencoder, told: str, tiny_atlas: Callable[[str], Atlas]
) -> None:
    with pytest.raises(NbkitError, match=told):
        in_basis(tiny_atlas("llama"), sae)


def test_activations_below_zero_are_refused(tiny_atlas: Callable[[str], Atlas]) -> None:
    atlas = tiny_atlas("llama")
    negative = Atlas(atlas.path, replace(atlas.manifest, sign="negative"))
    with pytest.raises(NbkitError, match="is of negative activations: give an atlas of positive ones"):
        in_basis(negative, reading())
