"""The weights with which neurons read, and their activation functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nbkit.errors import NbkitError
from nbkit.method.checks import shown
from nbkit.models.dispatched import value_of


@dataclass(frozen=True)
class NeuronWeights:
    """The weights with which the neurons of one layer read their input, in float32."""

    w_in: Float[Tensor, "d_mlp d_model"]
    """Input weights, a row per neuron; in a gated MLP those of the linear (`up`) branch."""
    b_in: Float[Tensor, " d_mlp"]
    """Bias of `w_in`; zeros where the model has none."""
    w_gate: Float[Tensor, "d_mlp d_model"] | None
    """Gate weights, a row per neuron; None in a plain MLP."""
    b_gate: Float[Tensor, " d_mlp"] | None
    """Bias of `w_gate`."""

    def activations(
        self, pre_mlp: Float[Tensor, "... d_model"], act_fn: Callable[[Tensor], Tensor]
    ) -> Float[Tensor, "... d_mlp"]:
        """The neurons' activations on the vectors they receive: act(h·w + b), or act(h·w_gate)·(h·w_in) if gated."""
        linear = pre_mlp @ self.w_in.T + self.b_in
        if self.w_gate is None:
            return act_fn(linear)
        assert self.b_gate is not None
        return act_fn(pre_mlp @ self.w_gate.T + self.b_gate) * linear


@dataclass(frozen=True)
class Rows:
    """A linear layer, or those of its outputs that one branch of an MLP reads: some models compute both in one."""

    name: str
    """Of the layer in its block."""
    start: int
    stop: int
    """Of the outputs."""

    def weight(self, block: nn.Module) -> Float[Tensor, "outputs inputs"]:
        """Their weights, in float32 on the CPU."""
        return as_float(input_weight(block.get_submodule(self.name))[self.start : self.stop])

    def bias(self, block: nn.Module) -> Float[Tensor, " outputs"]:
        """Their bias; zeros where the layer has none."""
        linear = block.get_submodule(self.name)
        if getattr(linear, "bias", None) is None:
            return torch.zeros(self.stop - self.start)
        return as_float(value_of(linear, "bias")[self.start : self.stop])


def is_linear(module: nn.Module) -> bool:
    """Whether a module is a linear layer that `input_weight` can read."""
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, nn.Linear | Conv1D)


def input_weight(linear: nn.Module) -> Float[Tensor, "outputs inputs"]:
    """The weights of a linear layer, a row per output."""
    weight = value_of(linear, "weight").detach()
    return weight if isinstance(linear, nn.Linear) else weight.T  # GPT-2's Conv1D has a row per input


def activation_function(name: str) -> Callable[[Tensor], Tensor]:
    """The activation function that `transformers` knows by `name`.

    Raises:
        NbkitError: if it knows none of that name.
    """
    from transformers.activations import ACT2FN

    try:
        function: Callable[[Tensor], Tensor] = ACT2FN[name]
    except (KeyError, TypeError):
        raise NbkitError(f"unknown activation function {shown(name)}") from None
    return function


def as_float(tensor: Tensor) -> Tensor:
    """The values in float32, on the CPU."""
    return tensor.detach().float().cpu().contiguous()


def relative_error(value: Tensor, expected: Tensor) -> float:
    """The largest error, by the largest expected value."""
    return float((value - expected).abs().max() / expected.abs().max().clamp_min(1e-12))
