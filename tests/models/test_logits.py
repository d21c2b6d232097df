"""Logit effects against a slow reference: the residual stream pushed a little along a neuron's output weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nbkit.atlas.build import build_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.models import LanguageModel, load_model, logits
from nbkit.models.logits import N_TOKENS, direct_unembedding, logit_effects, read_effects
from nbkit.models.neurons import MlpNeurons
from tests.examples.tiny_models import D_MLP, VOCABULARY, random_contexts
from tests.models.test_models import fresh_network

OUTPUT = {
    "gpt2": "transformer.h.{}.mlp.c_proj",
    "llama": "model.layers.{}.mlp.down_proj",
    "phi3": "model.layers.{}.mlp.down_proj",
    "gemma2": "model.layers.{}.mlp.down_proj",
}
NORM = {"gpt2": "transformer.ln_f", "llama": "model.norm", "phi3": "model.norm", "gemma2": "model.norm"}
GEMMA_POST = "model.layers.{}.post_feedforward_layernorm"


def effects_of(model: LanguageModel, layer: int, unembedding: Tensor) -> dict[str, Tensor]:
    """The effects of a layer's neurons."""
    written = MlpNeurons(model).written(layer)
    assert written is not None
    return logit_effects(written, unembedding, model.token_ids)


def normalized(architecture: str, norm: nn.Module, read: Tensor, at: Tensor) -> Tensor:
    """The norm's output on `read`, divided by the size of `at` instead."""
    weight = norm.get_parameter("weight")
    if architecture == "gpt2":
        return (read - read.mean()) / (at - at.mean()).square().mean().sqrt() * weight + norm.get_parameter("bias")
    return read / at.square().mean().sqrt() * (weight + (1 if architecture == "gemma2" else 0))


@torch.no_grad()
def reference(architecture: str, folder: Path, layer: int, neuron: int) -> np.ndarray:
    """The change of every logit, by the push, times the norms' divisions, minus the mean over the vocabulary."""
    network = fresh_network(architecture, folder).double()
    weight = network.get_submodule(OUTPUT[architecture].format(layer)).get_parameter("weight")
    push = weight[neuron] if architecture == "gpt2" else weight[:, neuron]
    generator, small = torch.Generator().manual_seed(0), 1e-4
    if architecture == "gemma2":
        post, output = (
            network.get_submodule(GEMMA_POST.format(layer)),
            torch.randn(len(push), generator=generator).double(),
        )
        written = [normalized(architecture, post, output + step * push, output) for step in (small, 0)]
        push = (written[0] - written[1]) / small * output.square().mean().sqrt()
    norm, residual = network.get_submodule(NORM[architecture]), 3 * torch.randn(len(push), generator=generator).double()
    head = network.get_output_embeddings()
    pushed, before = (head(normalized(architecture, norm, residual + step * push, residual)) for step in (small, 0))
    centered = residual - residual.mean() if architecture == "gpt2" else residual
    effects = (pushed - before) / small * centered.square().mean().sqrt()
    change: np.ndarray = (effects - effects.mean()).numpy()
    return change


def assert_effects(tensors: dict[str, Tensor], neuron: int, expected: np.ndarray) -> None:
    effects = read_effects(tensors, neuron)
    assert effects is not None
    order = np.argsort(expected)
    for ids, values, chosen in (
        (effects.promoted_ids, effects.promoted, order[::-1][:N_TOKENS]),
        (effects.suppressed_ids, effects.suppressed, order[:N_TOKENS]),
    ):
        assert ids.tolist() == chosen.tolist()
        np.testing.assert_allclose(values, expected[chosen], rtol=1e-4, atol=1e-5)
        assert ids.dtype == np.int32 and values.dtype == np.float32


@pytest.mark.parametrize("architecture", list(OUTPUT))
def test_equals_a_push_of_the_residual_stream(
    architecture: str, tiny_folder: Callable[[str], Path], tiny_model: Callable[[str], LanguageModel]
) -> None:
    model = tiny_model(architecture)
    unembedding = direct_unembedding(model)
    assert unembedding is not None
    for layer in (0, 2):
        tensors = effects_of(model, layer, unembedding)
        for neuron in (0, 7, D_MLP - 1):
            assert_effects(tensors, neuron, reference(architecture, tiny_folder(architecture), layer, neuron))


def test_blocks_of_neurons_give_the_same(
    tiny_model: Callable[[str], LanguageModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    unembedding = direct_unembedding(tiny_model("gpt2"))
    assert unembedding is not None
    whole = effects_of(tiny_model("gpt2"), 1, unembedding)
    monkeypatch.setattr(logits, "EFFECTS_AT_ONCE", 7 * len(VOCABULARY))
    for name, tensor in effects_of(tiny_model("gpt2"), 1, unembedding).items():
        torch.testing.assert_close(tensor, whole[name])


def test_rows_of_the_unembedding_without_a_token_do_not_count(
    tiny_folder: Callable[[str], Path], tiny_model: Callable[[str], LanguageModel]
) -> None:
    class Smaller:
        """Without some of the tokens, the last among them: a vocabulary with holes in a padded embedding."""

        all_special_ids = (1, 2)

        def get_vocab(self) -> dict[str, int]:
            return {str(i): i for i in owned}

    owned = [i for i in range(60) if i % 7]
    model = replace(tiny_model("llama"), tokenizer=Smaller())
    unembedding = direct_unembedding(model)
    assert unembedding is not None and len(unembedding) == len(owned)
    expected = reference("llama", tiny_folder("llama"), 1, 3)[owned]
    effects = read_effects(effects_of(model, 1, unembedding), 3)
    assert effects is not None
    order = np.argsort(expected - expected.mean())
    assert effects.promoted_ids.tolist() == [owned[i] for i in order[::-1][:N_TOKENS]]
    assert effects.suppressed_ids.tolist() == [owned[i] for i in order[:N_TOKENS]]
    np.testing.assert_allclose(effects.promoted[0], (expected - expected.mean()).max(), rtol=1e-4)


def halved(output: Any) -> Any:
    return (halved(output[0]), *output[1:]) if isinstance(output, tuple) else 0.5 * output


def test_a_model_without_a_direct_way_to_the_logits_has_none(
    tiny_folder: Callable[[str], Path], tiny_model: Callable[[str], LanguageModel]
) -> None:
    assert direct_unembedding(tiny_model("bert")) is None  # its head has a transform

    for part, direct in {"": False, "mlp": True, "ln_2": True, "attn": True}.items():
        model = load_model(tiny_folder("gpt2"), dtype="float32", device="cpu")
        module = model.blocks[1].get_submodule(part)
        module.register_forward_hook(lambda *arguments: halved(arguments[2]))
        # What the MLP reads, and what attention writes, changes nothing in how the MLP writes; half of its output is
        # a constant share; but half of a block's output halves what it received, too.
        assert (direct_unembedding(model) is not None) == direct, part
        if part == "mlp":
            assert model.unembedding is not None
            torch.testing.assert_close(model.unembedding.written[1], torch.full((24,), 0.5))


@pytest.mark.parametrize("architecture", ["gpt2", "llama", "bert"])
def test_an_atlas_holds_the_effects_and_their_tokens_text(
    architecture: str, tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    model, contexts = tiny_model(architecture), random_contexts(20, 24)
    contexts = replace(contexts, tokens=np.minimum(contexts.tokens, 30))
    atlas = build_atlas(model, contexts, tmp_path, AtlasConfig(layers=[1]), progress=False)
    unembedding = direct_unembedding(model)
    expected = None if unembedding is None else effects_of(model, 1, unembedding)
    for neuron in atlas.iterate(1):
        if expected is None:
            assert neuron.logit_effects is None
            continue
        assert neuron.logit_effects is not None
        for name, tensor in expected.items():
            np.testing.assert_array_equal(getattr(neuron.logit_effects, name), tensor[neuron.index])
        ids = neuron.logit_effects.promoted_ids
        texts = [text.strip() for text in atlas.token_strings(ids)]
        assert texts == [VOCABULARY[i].replace("\n", "↵").strip() for i in ids]
    known = set(np.flatnonzero(atlas.words >= 0))
    affected = (
        set()
        if expected is None
        else set(torch.cat([expected[f"{name}_ids"] for name in ("promoted", "suppressed")]).flatten().tolist())
    )
    assert known == affected | set(contexts.tokens.ravel().tolist())
    assert architecture == "bert" or max(affected) > 30
