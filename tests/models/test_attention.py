"""Attention weights of tiny models, beside those computed by hand from what a block reads, one pair at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from nbkit.models import LanguageModel, load_model
from nbkit.models.attention import attention_weights
from tests.examples.architectures import ARCHITECTURES
from tests.examples.tiny_models import D_MODEL, N_HEADS, make_network, make_tokenizer, random_contexts

HEAD = D_MODEL // N_HEADS


def opened(architecture: str) -> LanguageModel:
    network = make_network(architecture)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return load_model(network, tokenizer=make_tokenizer(bert=architecture == "bert"))


def run(model: LanguageModel, tokens: np.ndarray) -> None:
    with model.captured([model.n_layers - 1], lambda *_: None) as forward:
        forward(torch.from_numpy(tokens))


def given_by(modules: dict[str, nn.Module], forward: Callable[[], None]) -> dict[str, Float[np.ndarray, "b t d"]]:
    """What modules give in a forward pass."""
    gave: dict[str, Any] = {}
    handles = [
        module.register_forward_hook(lambda _, __, output, name=name: gave.update({name: output.numpy().copy()}))
        for name, module in modules.items()
    ]
    forward()
    for handle in handles:
        handle.remove()
    return gave


def turned(vector: Float[np.ndarray, " head"], position: int) -> Float[np.ndarray, " head"]:
    """Rotary embedding of one vector (Su et al. 2021), with a base of 10,000 and halves as pairs, like Llama's."""
    half = len(vector) // 2
    angles = position * 10_000.0 ** (-np.arange(half) / half)
    a, b = vector[:half], vector[half:]
    return np.concatenate([a * np.cos(angles) - b * np.sin(angles), b * np.cos(angles) + a * np.sin(angles)])


def slowly(
    queries: Float[np.ndarray, "t d"], keys: Float[np.ndarray, "t kv"], causal: bool, rotary: bool
) -> Float[np.ndarray, "t t"]:
    """The mean over heads of softmax(q · k / sqrt(width of a head))."""
    t = len(queries)
    mean = np.zeros((t, t))
    for head in range(N_HEADS):
        own = slice(head * HEAD, (head + 1) * HEAD)
        read = slice(0, HEAD) if keys.shape[1] == HEAD else own  # one head of keys for all queries, or one each
        for i in range(t):
            seen = range(i + 1 if causal else t)
            q = turned(queries[i, own], i) if rotary else queries[i, own]
            scores = [float(q @ (turned(keys[j, read], j) if rotary else keys[j, read])) for j in seen]
            powers = [math.exp(score / math.sqrt(HEAD)) for score in scores]
            for j, power in zip(seen, powers, strict=True):
                mean[i, j] += power / sum(powers) / N_HEADS
    return mean


@pytest.mark.parametrize("architecture", ["llama", "bert"])
def test_attention_is_that_computed_by_hand(architecture: str) -> None:
    model, tokens = opened(architecture), random_contexts(3, 10).tokens
    assert model.attention == "sdpa", "which computes no weights"
    for layer in (0, 2):
        block: Any = model.blocks[layer]
        own = (
            {"q": block.self_attn.q_proj, "k": block.self_attn.k_proj}
            if architecture == "llama"
            else {"q": block.attention.self.query, "k": block.attention.self.key}
        )
        gave = given_by(own, lambda: run(model, tokens))
        with attention_weights(model, [layer]) as found:
            run(model, tokens)
        assert set(found) == {layer} and found[layer].dtype == torch.float32
        for number in range(len(tokens)):
            expected = slowly(gave["q"][number], gave["k"][number], model.causal, architecture == "llama")
            np.testing.assert_allclose(found[layer][number], expected, atol=1e-5)


@pytest.mark.parametrize("architecture", ["gpt2", "gemma2", "phi3"])
def test_attention_is_what_transformers_gives(architecture: str) -> None:
    model, tokens = opened(architecture), random_contexts(2, 10).tokens
    with attention_weights(model, [0, 1, 2]) as found:
        run(model, tokens)
        ids = torch.from_numpy(tokens).long()
        given = model.network(input_ids=ids, use_cache=False, output_attentions=True).attentions
    for layer in range(3):
        torch.testing.assert_close(found[layer], given[layer].mean(dim=1), atol=1e-5, rtol=1e-4)


def test_the_model_is_left_as_it_was() -> None:
    model, tokens = opened("llama"), random_contexts(2, 10).tokens

    def hooks() -> int:
        return sum(len(module._forward_hooks) for module in model.network.modules())

    before = hooks()
    with attention_weights(model, [1]) as found:
        assert model.attention == "eager"
    assert model.attention == "sdpa" and hooks() == before
    run(model, tokens)
    assert not found


@pytest.mark.parametrize(("kind", "with_weights"), [("FalconForCausalLM", []), ("RecurrentGemmaForCausalLM", [1])])
def test_a_layer_that_gives_no_weights_is_left_out(kind: str, with_weights: list[int]) -> None:
    network = next(each for each in ARCHITECTURES if each.kind == kind).make()
    model = load_model(network, tokenizer=make_tokenizer())
    with attention_weights(model, [0, 1]) as found:
        run(model, random_contexts(2, 10).tokens)
    assert list(found) == with_weights
    for weights in found.values():
        above: Tensor = weights.triu(1)
        assert not above.any(), "of tokens that come later"


def test_what_does_not_sum_to_1_is_no_attention() -> None:
    model, tokens = opened("llama"), random_contexts(2, 10).tokens
    block: Any = model.blocks[1]
    handle = block.self_attn.register_forward_hook(lambda _, __, output: (output[0], 2 * output[1]))
    with attention_weights(model, [0, 1]) as found:
        run(model, tokens)
    handle.remove()
    assert list(found) == [0]
