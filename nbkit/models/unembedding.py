"""The way from a neuron's output weights to the logits, found by pushing at it.

A neuron writes to the logits directly if every block adds what its MLP gives to the vector that it received, a layer
norm reads what the last block gives, and a linear layer what that norm gives. Blocks may put a norm of their own behind
the MLP, multiply by a constant, and run attention before the MLP or beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nbkit.models.mlp import Mlp
from nbkit.models.norm import EXACT, Norm, read_norm
from nbkit.models.trace import Call, Trace, recorded, replay
from nbkit.models.weights import relative_error


@dataclass(frozen=True, eq=False)
class Unembedding:
    """The end of a model whose neurons write to the logits directly."""

    norm: nn.Module
    """The final layer norm."""
    head: nn.Linear
    """What reads it."""
    scale: Norm
    """What `norm` does."""
    written: tuple[Float[Tensor, " d_model"], ...]
    """Per block, the factors by which its MLP's output is multiplied on its way into the residual stream."""


@torch.no_grad()
def find_unembedding(network: Any, traced: Trace, mlps: Sequence[Mlp]) -> Unembedding | None:
    """The direct way to the logits; None if there is none."""
    head, last = network.get_output_embeddings(), traced.blocks[-1].gave
    reads = [call for call in traced.around if call.module is head]
    if not isinstance(head, nn.Linear) or len(reads) != 1 or last is None:
        return None
    for call in traced.around:
        if not _same(call.read, last) or not _same(call.gave, reads[0].read):
            continue
        if (scale := read_norm(call.module, last.shape[-1])) is not None:
            written = []
            for block, mlp in zip(traced.blocks, mlps, strict=True):
                factors = _written(block, mlp)
                if factors is None:
                    return None
                written.append(factors)
            return Unembedding(call.module, head, scale, tuple(written))
    return None


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    return one is not None and other is not None and one.shape == other.shape and torch.equal(one, other)


def _written(call: Call, mlp: Mlp) -> Float[Tensor, " d_model"] | None:
    """The factors of a block; None if it doesn't add its MLP's output to what it received."""
    block = call.in_float32()
    with recorded([(name, module) for name, module in block.named_modules() if name], call.device) as calls:
        output = replay(block, call)
    received = call.read
    ends = [each for each in calls if each.name == mlp.out]
    if received is None or received.shape != output.shape or len(ends) != 1 or ends[0].gave is None:
        return None
    received, wrote, factors = received.float(), ends[0], torch.ones(output.shape[-1])
    for behind in calls:  # a norm behind the MLP
        reads = behind.order > wrote.order and _same(behind.read, wrote.gave)
        if reads and (norm := read_norm(behind.module, output.shape[-1])) is not None:
            wrote, factors = behind, norm.scale
    assert wrote.gave is not None
    constant = _share(block, call, wrote, output)
    if constant is None:
        return None
    # What is left is the received vector, and attention's output or its own multiple.
    rest = output - constant * wrote.gave.reshape(output.shape) - received
    gave = [each.gave for each in calls if each.gave is not None and each.gave.shape[-1] == rest.shape[-1]]
    beside = [each.reshape(rest.shape) for each in gave if each.numel() == rest.numel()]
    if not any(_is_multiple(rest, of, output) for of in beside):
        return None
    return constant * factors


def _share(block: nn.Module, call: Call, wrote: Call, output: Tensor) -> float | None:
    """The constant by which what `wrote` gave reaches the block's output, if it is one: seen by adding to it."""
    assert wrote.gave is not None
    push = torch.randn(wrote.gave.shape, generator=torch.Generator().manual_seed(0)).to(wrote.gave)
    push *= wrote.gave.abs().max().clamp_min(1)
    give: Callable[..., Tensor] = lambda _, __, given: given + push  # noqa: E731
    handle = block.get_submodule(wrote.name).register_forward_hook(give)
    change = (replay(block, call) - output).reshape(push.shape)
    handle.remove()
    constant = float((change * push).sum() / push.square().sum())
    return constant if constant and relative_error(constant * push, change) <= EXACT else None


def _is_multiple(rest: Tensor, of: Tensor, output: Tensor) -> bool:
    """Whether `rest` is a constant times `of`, up to the rounding of what it was left from."""
    constant = (rest * of).sum() / of.square().sum().clamp_min(1e-12)
    return bool((rest - constant * of).abs().max() <= EXACT * output.abs().max())
