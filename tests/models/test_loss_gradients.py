"""Gradients of a text's loss, beside autograd of one text at a time, and beside differences of two losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from nbkit.models import LanguageModel, load_model
from nbkit.models.loss_gradients import loss_gradients
from tests.examples.architectures import ARCHITECTURES
from tests.examples.tiny_models import D_MODEL, make_network, make_tokenizer, random_contexts

LENGTH = 9
LAYERS = [2, 0]
CONTEXTS = random_contexts(3, LENGTH)
TOKENS, TEXT = torch.from_numpy(CONTEXTS.tokens), torch.from_numpy(~CONTEXTS.special)


def opened(kind: str) -> LanguageModel:
    tiny = kind in ("llama", "gpt2", "gemma2")
    network = make_network(kind) if tiny else next(each for each in ARCHITECTURES if each.kind == kind).make()
    return load_model(network, tokenizer=make_tokenizer())


def loss_of(model: LanguageModel, tokens: Tensor, text: Tensor, change: dict[int, Tensor]) -> Tensor:
    """The loss of one text (t,), one token after the other, with something added to what MLPs write (t, d)."""
    handles = [
        model.output_weights(layer).register_forward_hook(
            lambda _, __, output, by=by: output + by.reshape(output.shape)
        )
        for layer, by in change.items()
    ]
    logits = model.network(input_ids=tokens[None].long(), use_cache=False).logits[0].double()
    for handle in handles:
        handle.remove()
    losses = [-logits[i - 1].log_softmax(-1)[int(tokens[i])] for i in range(1, len(tokens)) if text[i]]
    return torch.stack(losses).sum()


@pytest.mark.parametrize("kind", ["llama", "gpt2", "gemma2", "FalconForCausalLM", "OPTForCausalLM", "PhiForCausalLM"])
def test_gradients_are_those_of_one_text_and_layer_at_a_time(kind: str) -> None:
    model = opened(kind)
    layers = [model.n_layers - 1, 0]
    found = loss_gradients(model, TOKENS, TEXT, layers)
    assert list(found) == layers
    for layer, gradients in found.items():
        assert gradients.dtype == torch.float32 and gradients.shape == (3, LENGTH, D_MODEL)
        for number, tokens in enumerate(TOKENS):
            added = torch.zeros(LENGTH, D_MODEL, requires_grad=True)
            (expected,) = torch.autograd.grad(loss_of(model, tokens, TEXT, {layer: added}), added)
            torch.testing.assert_close(gradients[number], expected, atol=2e-5, rtol=1e-3)
        assert not gradients[:, -1].any(), "nothing is predicted after the last token"
        assert gradients[:, :-1].any(dim=-1).all()


def test_a_unit_moves_the_loss_by_its_output_weights_times_the_gradient() -> None:
    model = opened("llama")
    rng = np.random.default_rng(0)
    found = loss_gradients(model, TOKENS, TEXT, LAYERS)
    for layer in LAYERS:
        weights: Any = model.output_weights(layer).weight.detach()
        for neuron, position in zip(rng.integers(0, weights.shape[1], 4), (0, 3, 5, 7), strict=True):
            away = torch.zeros(LENGTH, D_MODEL)
            away[position] = 1e-2 * weights[:, neuron]  # an activation that is higher by a hundredth
            with torch.no_grad():
                up, down = (loss_of(model, TOKENS[1], TEXT, {layer: sign * away}) for sign in (1, -1))
            effect = float(weights[:, neuron] @ found[layer][1, position])
            assert effect == pytest.approx(float(up - down) / 2e-2, rel=1e-2, abs=1e-4)


def test_special_positions_are_not_predicted() -> None:
    model = opened("llama")
    text = TEXT.clone()
    text[[4, LENGTH - 1]] = False
    found = loss_gradients(model, TOKENS, text, [1])[1]
    added = torch.zeros(LENGTH, D_MODEL, requires_grad=True)
    (expected,) = torch.autograd.grad(loss_of(model, TOKENS[0], text, {1: added}), added)
    torch.testing.assert_close(found[0], expected, atol=2e-5, rtol=1e-3)
    assert not found[:, LENGTH - 2 :].any()


def test_the_model_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    model = opened("gpt2")
    weights = dict(model.network.named_parameters())
    frozen = "transformer.wte.weight"
    weights[frozen].requires_grad_(False)
    with torch.inference_mode(False), torch.no_grad():
        loss_gradients(model, TOKENS, TEXT, LAYERS)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(torch.autograd, "grad", interrupt)
    with pytest.raises(KeyboardInterrupt):
        loss_gradients(model, TOKENS, TEXT, LAYERS)
    assert all(weight.grad is None and weight.requires_grad == (name != frozen) for name, weight in weights.items())
    assert not any(module._forward_hooks for module in model.network.modules())
