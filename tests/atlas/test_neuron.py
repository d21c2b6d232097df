"""One bad unit costs one row: neurons without weights, without examples or with activations that are not finite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.build import build_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.neuron_table import EXTRA
from nbkit.errors import NbkitError
from nbkit.method.metrics import Polysemanticity
from nbkit.models import LanguageModel, load_model
from nbkit.models.neurons import MlpNeurons
from nbkit.models.sign import Sign
from tests.examples.tiny_models import D_MLP, N_LAYERS, PADDED, PRUNED, make_model, prune, random_contexts

METRICS = [*Polysemanticity._fields, *EXTRA]
OTHERS = [index for index in range(D_MLP) if index not in (PRUNED, PADDED)]


def rows(table: pd.DataFrame, index: int) -> pd.DataFrame:
    """A neuron's row in every layer."""
    return table[table["index"] == index]


def test_a_neuron_without_weights_fires_and_has_no_metrics(pruned_atlas: Atlas) -> None:
    pruned, padded = rows(pruned_atlas.neurons, PRUNED), rows(pruned_atlas.neurons, PADDED)
    assert (pruned["n_examples"] == 40).all() and pruned["max_activation"].nunique() == 1
    assert pruned[METRICS].isna().all(axis=None) and padded[METRICS].isna().all(axis=None)
    assert (padded["n_examples"] == 0).all() and (padded["max_activation"] == 0).all()


def test_other_neurons_have_the_metrics_of_their_own_examples(pruned_atlas: Atlas) -> None:
    table = pruned_atlas.neurons.set_index(["layer", "index"])
    for layer in range(N_LAYERS):
        for index in OTHERS:
            neuron = pruned_atlas.neuron(layer, index)
            if len(neuron) < 2:
                continue
            distances = neuron.clusters().distances
            upper = distances[np.triu_indices(len(neuron), 1)]
            assert table.loc[(layer, index), "mean_distance"] == pytest.approx(upper.mean(), rel=1e-9)


def test_the_summary_counts_them(pruned_atlas: Atlas) -> None:
    has = int((pruned_atlas.neurons["n_examples"] > 0).sum())
    assert pruned_atlas.summary == f"{has} neurons with examples; 3 of 120 neurons have no direction: NaN"
    assert pruned_atlas.summary in repr(pruned_atlas)


def test_the_summary_of_a_whole_model_says_no_more(tiny_atlas: Callable[[str], Atlas]) -> None:
    assert tiny_atlas("llama").summary.endswith(" neurons with examples")


def test_its_methods_name_the_neuron(pruned_atlas: Atlas) -> None:
    neuron = pruned_atlas.neuron(1, PRUNED)
    assert not neuron.has_direction() and neuron.has_direction("pre_mlp") and not neuron.has_direction("up")
    assert not neuron.embeddings().any()
    with pytest.raises(NbkitError, match=f"L1 N{PRUNED} has no clusters of the 'input' embedding: .* no direction"):
        neuron.clusters()
    assert neuron.clusters(kind="pre_mlp").n_clusters >= 1
    with pytest.raises(NbkitError, match=f"L1 N{PADDED} has no dataset examples"):
        pruned_atlas.neuron(1, PADDED).clusters()


@pytest.mark.parametrize("kind", ["gradient", "pre_mlp", "shuffled"])
def test_other_spaces_have_no_columns_that_refer_to_its_clusters(kind: str, pruned_atlas: Atlas) -> None:
    table = pruned_atlas.metrics(kind, progress=False)
    assert rows(table, PRUNED)[["silhouette_matched", "token_agreement_matched"]].isna().all(axis=None)
    assert rows(table, PRUNED)["mean_distance"].isna().all() == (kind == "gradient")
    measured = table[table["index"].isin(OTHERS) & (table["n_examples"] >= 2)]
    assert measured["mean_distance"].notna().all()


def test_no_neuron_takes_weights_of_zeros_as_its_control(pruned_atlas: Atlas) -> None:
    own = {index: pruned_atlas.neuron(0, index).w_in for index in range(D_MLP)}
    donors = []
    for index in range(D_MLP):
        donor = pruned_atlas.neuron(0, index).donor
        assert donor is not None and donor.w_in.any()
        donors.append(next(other for other in OTHERS if (own[other] == donor.w_in).all()))
        assert donors[-1] != index
    assert sorted(donors[index] for index in OTHERS) == OTHERS  # each is used once


@pytest.mark.parametrize("zeros", [(True, False), (False, True), (True, True)])
def test_gated_neurons_without_a_branch(zeros: tuple[bool, bool], tmp_path: Path) -> None:
    """Without biases such neurons never fire; with one they fire as the other branch says."""
    model = load_model(make_model("llama", tmp_path / "llama"), dtype="float32", device="cpu")
    with torch.no_grad():
        mlp = model.network.model.layers[1].mlp
        for branch, zero in zip((mlp.up_proj, mlp.gate_proj), zeros, strict=True):
            if zero:
                branch.weight[PRUNED] = 0
    atlas = build_atlas(model, random_contexts(40, 32), tmp_path / "atlas", AtlasConfig(layers=[1]), progress=False)
    neuron = atlas.neuron(1, PRUNED)
    assert len(neuron) == 0
    for kind in neuron.kinds:
        table = atlas.metrics(kind, progress=False)
        assert table.loc[PRUNED, METRICS].isna().all()
        assert table.loc[OTHERS].query("n_examples >= 2")["mean_distance"].notna().all()


def test_a_model_of_zeros_alone(tmp_path: Path) -> None:
    model = load_model(make_model("gpt2", tmp_path / "gpt2"), dtype="float32", device="cpu")
    with torch.no_grad():
        model.network.transformer.h[0].mlp.c_fc.weight.zero_()
    config = AtlasConfig(layers=[0], embedding="paper")
    atlas = build_atlas(model, random_contexts(20, 16), tmp_path / "atlas", config, progress=False)
    fired = int((atlas.neurons["n_examples"] > 1).sum())
    assert f"; {fired} of 40 neurons have no direction: NaN" in atlas.summary and fired > 5
    assert atlas.neuron(0, 0).donor is None and "shuffled" not in atlas.neuron(0, 0).kinds
    assert atlas.metrics("shuffled", progress=False)[METRICS].isna().all(axis=None)
    centered = atlas.with_embedding("auto")  # knows no weights
    assert "have no direction" not in centered.summary
    assert centered.metrics("shuffled", progress=False)[METRICS].isna().all(axis=None)


def overflowing(model: LanguageModel, layer: int, index: int, context: int, value: float) -> MlpNeurons:
    """The model's neurons, one of which has an activation that is not finite in one context of all that it reads."""
    seen = 0

    class Overflowing(MlpNeurons):
        def values(self, site: int, vectors: Any) -> Any:
            nonlocal seen
            read, activations = vectors
            if site == layer:
                activations = activations.clone()
                if 0 <= context - seen < len(activations):
                    activations[context - seen, 9, index] = value
                seen += len(activations)
            return super().values(site, (read, activations))

    return Overflowing(model)


@pytest.mark.parametrize(
    ("value", "context", "given", "sign"),
    [
        (np.inf, 0, False, "positive"),
        (np.nan, 21, False, "positive"),
        (np.inf, 39, True, "positive"),
        (-np.inf, 21, False, "negative"),
        (np.nan, 0, False, "negative"),
        (np.inf, 21, False, "both"),
        (-np.inf, 39, True, "both"),
        (np.nan, 39, False, "both"),
    ],
)
def test_an_overflow_costs_the_neuron_alone(
    value: float, context: int, given: bool, sign: Sign, tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    model, contexts = tiny_model("gpt2"), random_contexts(40, 32)
    config = AtlasConfig(layers=[2], embedding="paper", batch_size=8, block_size=16, sign=sign)
    maxima = np.full((N_LAYERS, D_MLP), 0.5) if given else None
    plain = build_atlas(model, contexts, tmp_path / "plain", config, maxima, progress=False)
    index = int(plain.neurons["n_examples"].to_numpy().argmax())
    bad = [overflowing(model, 2, index, context, value) for _ in range(2)]
    atlas = build_atlas(bad[0], contexts, tmp_path / "bad", config, maxima, progress=False)
    neuron = atlas.neuron(2, index)
    assert (len(neuron), neuron.levels) == (0, ()) and np.isnan(neuron.max_activation)
    assert atlas.neurons.loc[index, ["max_activation", *METRICS]].isna().all()
    pd.testing.assert_frame_equal(atlas.neurons.drop(index), plain.neurons.drop(index), check_dtype=False)
    for other in range(D_MLP):
        if other != index:
            for a, b in zip(atlas.neuron(2, other).levels, plain.neuron(2, other).levels, strict=True):
                assert (a.count, a.low) == (b.count, b.low) and (a.context == b.context).all()
    assert "1 of 40 neurons have activations that are not finite: NaN" in atlas.summary
    with pytest.raises(NbkitError, match=f"L2 N{index} has no dataset examples: its activations are not finite"):
        neuron.clusters()
    one_block = replace(config, block_size=40)
    whole = build_atlas(bad[1], contexts, tmp_path / "whole", one_block, maxima, progress=False)
    pd.testing.assert_frame_equal(whole.neurons, atlas.neurons)


def test_what_reads_an_overflow_is_refused(tmp_path: Path) -> None:
    """A weight that overflows one neuron of layer 0 leaves no finite number in the residual stream behind it."""
    model = load_model(make_model("gpt2", tmp_path / "gpt2"), dtype="float32", device="cpu")
    with torch.no_grad():
        model.network.transformer.h[0].mlp.c_fc.weight[:, 7] = 3e38
    alone = build_atlas(model, random_contexts(20, 16), tmp_path / "0", AtlasConfig(layers=[0]), progress=False)
    assert "1 of 40 neurons have activations that are not finite" in alone.summary
    with pytest.raises(NbkitError, match="layer 1: activations that are not finite in contexts 0 to 15"):
        build_atlas(model, random_contexts(20, 16), tmp_path / "1", AtlasConfig(layers=[1]), progress=False)
    with pytest.raises(NbkitError, match="layer 0: activations that are not finite in contexts 0 to 15"):
        build_atlas(model, random_contexts(20, 16), tmp_path / "2", progress=False)


def test_one_example_constant_activations_and_equal_examples(tmp_path: Path) -> None:
    """A context that is repeated gives every neuron the same vector over and over."""
    model = load_model(make_model("gpt2", tmp_path / "gpt2"), dtype="float32", device="cpu")
    prune(model)
    once = random_contexts(1, 16)
    for n in (1, 6):
        tokens, documents = np.repeat(once.tokens, n, axis=0), np.arange(n, dtype=np.int32)
        contexts = replace(once, tokens=tokens, documents=documents)
        config = AtlasConfig(embedding="paper")
        atlas = build_atlas(model, contexts, tmp_path / str(n), config, progress=False)
        table = atlas.neurons
        assert set(table["n_examples"]) == {0, n}
        fired = table[(table["n_examples"] > 0) & (table["index"] != PRUNED)]
        assert table[table["index"] == PRUNED][METRICS].isna().all(axis=None)
        if n == 1:
            assert table[METRICS].isna().all(axis=None)
        else:
            assert (fired["max_distance"].abs() < 1e-6).all() and (fired["n_clusters"] == 1).all()
            known = atlas.with_embedding("auto").neurons.dropna(subset="max_distance")  # only rounding is left of some
            assert (known["max_distance"] < 2).all() and not np.isinf(known[METRICS]).any(axis=None)
