"""A block's MLP, found by looking at what its modules read and give rather than by their names.

An MLP is: linear layers that read one vector, an activation function, perhaps a product of two branches, and a linear
layer that reads the result. It is looked for in a float32 copy of the block, so that rounding hides nothing whatever
the model's dtype, and its activation function is seen at work: the layer before it is made to give known values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nbkit.errors import NbkitError
from nbkit.models.norm import EXACT, read_norm
from nbkit.models.trace import Call, recorded, replay
from nbkit.models.weights import Rows, activation_function, input_weight, is_linear, relative_error

REACH = 15.0
"""Activation functions are compared from minus this to this: some of them differ beyond 10 alone."""
SAME_FUNCTION = 1e-5
FEW = 16
"""Neurons that most functions are told by; what fits these is compared on all."""


@dataclass(frozen=True)
class Mlp:
    """Where the MLP of a block is: names of modules in the block."""

    linear: Rows
    """What reads with `w_in`."""
    gate: Rows | None
    """What reads with `w_gate`; None in a plain MLP."""
    out: str
    """The linear layer that reads the activations."""
    norm: str | None
    """The layer norm whose output the MLP reads, if it reads one's."""
    activation: str
    """Name of the activation function."""

    @property
    def reader(self) -> str:
        """A linear layer that reads the pre-MLP vector."""
        return self.linear.name


@torch.no_grad()
def find_mlp(call: Call, hint: str) -> Mlp:
    """The MLP of the block that was called.

    Args:
        hint: name that the activation function may have.

    Raises:
        NbkitError: if the block has no plain or gated MLP, several, or experts.
    """
    if any(re.search("expert|router", f"{name} {type(each).__name__}", re.I) for name, each in _named(call.module)):
        raise NbkitError("is a mixture of experts, whose neurons read only some of the tokens")
    block = call.in_float32()
    with recorded(_named(block), call.device) as calls:
        replay(block, call)
    names = [hint, *(name for name in _plain_names() if name != hint)]
    found = list(_candidates(calls, names))
    if not found:
        raise NbkitError("has no such MLP")
    driven = [
        (name, gate, linear, out.name)
        for gate, linear, out in found
        if (name := _activation(block, call, gate or linear, linear if gate else None, out, names)) is not None
    ]
    if not driven:
        raise NbkitError("has an activation function that transformers has no name for")
    if len({out for *_, out in driven}) > 1:
        raise NbkitError(f"has several MLPs ({', '.join(sorted({out for *_, out in driven}))})")
    # Where both branches are zero on all tokens, either could be the gate; seen at work, the other one is linear.
    name, gate, linear, out = min(driven, key=lambda each: each[0] == "linear")
    reader = next(each for each in calls if each.name == linear.name)
    return Mlp(linear, gate, out, _norm_before(calls, reader), name)


def _named(block: nn.Module) -> list[tuple[str, nn.Module]]:
    return [(name, module) for name, module in block.named_modules() if name]


def _plain_names() -> list[str]:
    """Names of activation functions without weights of their own."""
    from transformers.activations import ACT2CLS

    return [name for name in ACT2CLS if name not in ("prelu", "xielu")]


def _candidates(calls: Sequence[Call], names: Sequence[str]) -> Iterator[tuple[Rows | None, Rows, Call]]:
    """Every (gate, linear, out) such that `out` reads what an activation function makes of the others' outputs."""
    linears = [call for call in calls if is_linear(call.module) and _is_plain(call)]
    functions = {name: activation_function(name) for name in names}
    for i, out in enumerate(linears):
        branches = [branch for call in linears[:i] for branch in _branches(call, out)]
        for rows, read, values in branches:
            for gate, gate_read, gates in [(None, read, None), *branches]:
                if gate == rows or gate_read.shape != read.shape or not torch.equal(gate_read, read):
                    continue
                if _explains(functions, values, gates, _read(out)):
                    yield gate, rows, out


def _is_plain(call: Call) -> bool:
    """Whether a layer did what its weights say, and nothing more."""
    if call.read is None or call.gave is None:
        return False
    bias = getattr(call.module, "bias", None)
    expected = call.read @ input_weight(call.module).T + (0 if bias is None else bias)
    return expected.shape == call.gave.shape and relative_error(call.gave, expected) <= EXACT


def _branches(call: Call, out: Call) -> list[tuple[Rows, Tensor, Tensor]]:
    """The outputs of a layer that may be one branch of the MLP that ends in `out`, with what it read and gave."""
    read, gave, width = _read(call), call.gave, _read(out).shape[-1]
    assert gave is not None
    if gave.shape[:-1] != _read(out).shape[:-1] or gave.shape[-1] not in (width, 2 * width):
        return []
    parts = [Rows(call.name, start, start + width) for start in range(0, gave.shape[-1], width)]
    return [(rows, read, gave[..., rows.start : rows.stop]) for rows in parts]


def _read(call: Call) -> Tensor:
    read = call.read
    assert read is not None
    return read


def _explains(
    functions: dict[str, Callable[[Tensor], Tensor]], values: Tensor, gates: Tensor | None, read: Tensor
) -> bool:
    def error(function: Callable[[Tensor], Tensor], to: int | None) -> float:
        seen, gate = values[..., :to], None if gates is None else gates[..., :to]
        made = function(seen) if gate is None else function(gate) * seen
        return float((made - read[..., :to]).abs().max() / largest)

    largest = read.abs().max().clamp_min(1e-12)
    for name, function in functions.items():
        if gates is None and name == "linear":
            continue  # two linear layers in a row are no neurons
        if error(function, FEW) <= EXACT and error(function, None) <= EXACT:
            return True
    return False


def _activation(
    block: nn.Module, call: Call, inner: Rows, linear: Rows | None, out: Call, names: Sequence[str]
) -> str | None:
    """Name of the function between `inner` and `out`, as it acts on values over all its range; None if it has none."""
    made: list[Tensor] = []
    shape: Float[Tensor, "b t d_mlp"] = _read(out)
    values = torch.linspace(-REACH, REACH, shape.numel())
    values = values[torch.randperm(shape.numel(), generator=torch.Generator().manual_seed(0))].view(shape.shape)
    values = values.to(shape.device)

    def drive(rows: Rows, to: Tensor) -> Callable[..., Tensor]:
        def give(_: nn.Module, __: object, output: Tensor) -> Tensor:
            output = output.clone()
            output[..., rows.start : rows.stop] = to
            return output

        return give

    handles = [block.get_submodule(inner.name).register_forward_hook(drive(inner, values))]
    if linear is not None:
        handles.append(block.get_submodule(linear.name).register_forward_hook(drive(linear, torch.ones_like(values))))
    handles.append(
        block.get_submodule(out.name).register_forward_pre_hook(lambda _, args: made.append(args[0].clone()))
    )
    replay(block, call)
    for handle in handles:
        handle.remove()
    for name in names:
        expected = activation_function(name)(values)
        if bool(((made[0] - expected).abs() <= SAME_FUNCTION * expected.abs().clamp_min(1)).all()):
            return name
    return None


def _norm_before(calls: Sequence[Call], reader: Call) -> str | None:
    """Name of the layer norm whose output a layer reads."""
    read = _read(reader)
    for call in calls:
        gave = call.gave
        same = gave is not None and gave.shape == read.shape and torch.equal(gave, read)
        if same and not is_linear(call.module) and read_norm(call.module, read.shape[-1]) is not None:
            return call.name
    return None
