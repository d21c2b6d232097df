"""Layers that differ from one another, are pruned, or compute something else than they seem to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from transformers.models.gpt2.modeling_gpt2 import GPT2MLP

from nbkit.errors import NbkitError
from nbkit.models import load_model
from tests.examples.tiny_models import make_network, make_tokenizer


def with_changed(architecture: str, change: Callable[[Any], object]) -> Any:
    network = make_network(architecture)
    blocks: Any = network.get_submodule("transformer.h" if architecture == "gpt2" else "model.layers")
    with torch.no_grad():
        change(blocks[1])
    return network


def wider(block: Any) -> None:
    block.mlp = GPT2MLP(56, block.attn.config)


class Sine(nn.Module):
    """A function that transformers has no name for."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sin()


class Leaning(nn.Module):
    """Like GELU near 0, where the tokens of the probe are, and unlike beyond 8."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.gelu(x, approximate="tanh") + 0.01 * (x > 8)


class LowRank(nn.Module):
    """What an adapter makes of a layer: it computes more than its weight."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.inner(x)
        return made + 0.1 * x[..., :1]


@pytest.mark.parametrize(
    ("architecture", "change", "reason"),
    [
        ("gpt2", wider, "its layers have 40 to 56 neurons"),
        ("gpt2", lambda block: setattr(block.mlp, "act", nn.ReLU()), "its layers have neurons of different kinds"),
        ("gpt2", lambda block: setattr(block.mlp, "act", Sine()), "layer 1 has no such MLP"),
        ("gpt2", lambda block: setattr(block.mlp, "act", Leaning()), "layer 1 has an activation function that trans"),
        ("gpt2", lambda block: setattr(block.mlp, "c_fc", LowRank(block.mlp.c_fc)), "layer 1 has no such MLP"),
        ("gpt2", lambda block: setattr(block, "mlp", nn.Identity()), "layer 1 has no such MLP"),
        ("llama", lambda block: setattr(block.mlp, "up_proj", LowRank(block.mlp.up_proj)), "layer 1 has no such MLP"),
    ],
)
def test_a_layer_of_another_make_is_refused(architecture: str, change: Callable[[Any], object], reason: str) -> None:
    with pytest.raises(NbkitError, match=reason) as error:
        load_model(with_changed(architecture, change), tokenizer=make_tokenizer())
    assert len(str(error.value)) <= 300


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
@pytest.mark.parametrize("part", ["all", "first", "mlp"])
def test_a_pruned_layer_is_what_it_was(architecture: str, part: str) -> None:
    def prune(block: Any) -> None:
        first = block.mlp.c_fc if architecture == "gpt2" else block.mlp.gate_proj
        for parameter in {"all": block, "first": first, "mlp": block.mlp}[part].parameters():
            parameter.zero_()

    whole = load_model(make_network(architecture), tokenizer=make_tokenizer())
    pruned = load_model(with_changed(architecture, prune), tokenizer=make_tokenizer())
    assert [(mlp.linear, mlp.gate, mlp.activation) for mlp in pruned.mlps] == [
        (mlp.linear, mlp.gate, mlp.activation) for mlp in whole.mlps
    ]


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "~nobody-at-all/model", ""])
def test_a_name_that_no_folder_can_have(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBKIT_OFFLINE", "1")
    with pytest.raises(NbkitError) as error:
        load_model(name)
    assert "\n" not in str(error.value)
