"""Hook points: the vectors inside a language model that autoencoders are trained on, by TransformerLens' names.

A block's are found by looking at what its modules read and give on a few tokens, in a float32 copy of it: the residual
stream before it, in its middle and after it, what attention and MLP add to the stream, and what the MLP and the last
layer of attention read. Any module of the Hugging Face network is a hook point as well: what it gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor, nn

from nbkit.models.mlp import Mlp
from nbkit.models.norm import EXACT, Norm
from nbkit.models.trace import Call, first_tensor, recorded, replay
from nbkit.models.weights import is_linear


class Place(NamedTuple):
    """Where in a block a vector is."""

    module: str
    """Name of the module in the block; empty for the block itself."""
    reads: bool
    """Whether the module reads the vector; otherwise it gives it."""
    width: int
    bare: bool = False
    """Whether the vector is what a layer norm gives without its scale and shift."""


@dataclass(frozen=True, eq=False)
class HookPoint:
    """A vector for every token, somewhere in a language model."""

    name: str
    """What `LanguageModel.hook_point` knows it by."""
    module: nn.Module
    reads: bool
    """Whether the module reads the vector; otherwise it gives it."""
    width: int
    """Of the vector."""
    norm: Norm | None = None
    """What is taken back of the module's output: a layer norm's scale and shift."""
    centered: bool = False
    """Whether the mean over coordinates is taken away."""

    def vector(self, tensor: Tensor) -> Tensor:
        """The vectors, given what the module reads or gives."""
        if self.centered:
            values = tensor.float()
            return (values - values.mean(-1, keepdim=True)).to(tensor.dtype)
        if self.norm is None:
            return tensor
        scale, shift = (part.to(tensor.device) for part in (self.norm.scale, self.norm.shift))
        return ((tensor.float() - shift) / scale).to(tensor.dtype)


class _StopForward(Exception):  # noqa: N818 - a signal, not an error
    """Ends a forward pass after the last hook point that was asked for."""


@contextmanager
def hooked(
    network: Any, device: torch.device, points: Sequence[HookPoint], take: Callable[[int, Tensor], None]
) -> Iterator[Callable[..., None]]:
    """Gives a function that runs tokens through a network and hands over the vectors at hook points.

    The function takes the token ids, (b, t), and by name what else the network shall be given. `take(number, vectors)`
    is called once for each of `points`, as soon as its vectors, (b, t, width), are there, on `device` wherever they
    were computed. The pass ends with the last.
    """
    shape, missing = list[int](), set[int]()
    handles = []

    def hand_over(number: int, values: Any) -> None:
        tensor = first_tensor(values)
        if tensor is None or number not in missing:
            return
        # OPT's blocks take all tokens of a batch as one list
        take(number, points[number].vector(tensor.reshape(*shape, -1).to(device)))
        missing.discard(number)
        if not missing:
            raise _StopForward

    def on_input(number: int) -> Callable[..., None]:
        return lambda _, args, kwargs: hand_over(number, (args, tuple(kwargs.values())))

    def on_output(number: int) -> Callable[..., None]:
        return lambda _, __, output: hand_over(number, output)

    for number, point in enumerate(points):
        if point.reads:
            handles.append(point.module.register_forward_pre_hook(on_input(number), with_kwargs=True))
        else:
            handles.append(point.module.register_forward_hook(on_output(number)))

    def run(tokens: Int[Tensor, "b t"], **inputs: Tensor) -> None:
        shape[:] = tokens.shape
        missing.update(range(len(points)))
        try:
            with torch.inference_mode():
                network(input_ids=tokens.to(device).long(), use_cache=False, **inputs)
        except _StopForward:
            pass

    try:
        yield run
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def find_places(call: Call, mlp: Mlp) -> dict[str, Place]:
    """The hook points of the block that was called, by their names in it.

    What a block doesn't have is not among them: where attention and MLP read the same vector there is no middle, and
    where layer norms stand behind the sums there is no stream that both add to.
    """
    block = call.in_float32()
    with recorded([(name, module) for name, module in block.named_modules() if name], call.device) as calls:
        after = replay(block, call)
    before = call.read
    assert before is not None
    before = before.float().reshape(after.shape)
    first = {each.name: number for number, each in reversed(list(enumerate(calls)))}
    width, d_mlp = after.shape[-1], mlp.linear.stop - mlp.linear.start
    places = {
        "hook_resid_pre": Place("", True, width),
        "hook_resid_post": Place("", False, width),
        "mlp.hook_in": Place(mlp.reader, True, width),
        "mlp.hook_post": Place(mlp.out, True, d_mlp),
        "mlp.hook_out": Place(mlp.out, False, width),
    }
    if mlp.norm is None:
        return places
    norm, out = first[mlp.norm], first[mlp.out]
    read = calls[norm].read
    assert read is not None
    middle = read.reshape(after.shape)
    given = {n: gave.reshape(after.shape) for n, each in enumerate(calls) if (gave := _like(each, after)) is not None}
    tolerance = EXACT * float(after.abs().max())
    if not torch.equal(middle, before):
        attention = _nearest({n: gave for n, gave in given.items() if n < norm}, middle - before, tolerance)
        added = _nearest({n: gave for n, gave in given.items() if n >= out}, after - middle, tolerance)
        if attention is None or added is None:
            return places
        places["hook_resid_mid"] = Place(mlp.norm, True, width)
    else:  # attention and MLP read the same vector
        sums = {n: _nearest(given, after - before - gave, tolerance) for n, gave in given.items() if n >= out}
        added = next((n for n, other in sums.items() if other is not None), None)
        if added is None or (attention := sums[added]) is None:
            return places
    places["ln2.hook_normalized"] = Place(mlp.norm, False, width, bare=True)
    places["hook_mlp_out"] = Place(calls[added].name, False, width)
    places["hook_attn_out"] = Place(calls[attention].name, False, width)
    if (last := _last_linear(calls[: attention + 1], but=mlp)) is not None:
        places["attn.hook_z"] = last
    return places


def _like(call: Call, other: Tensor) -> Tensor | None:
    """What a module gave, if it is as large as another tensor and as wide."""
    gave = call.gave
    return gave if gave is not None and gave.numel() == other.numel() and gave.shape[-1] == other.shape[-1] else None


def _nearest(given: Mapping[int, Tensor], expected: Tensor, tolerance: float) -> int | None:
    """Which module gave what was expected, the first of those that did; None if none did."""
    errors = {n: float((gave - expected).abs().max()) for n, gave in given.items()}
    best = min(errors, key=lambda n: errors[n], default=None)
    return best if best is not None and errors[best] <= tolerance else None


def _last_linear(calls: Sequence[Call], but: Mlp) -> Place | None:
    """Where the last linear layer that is none of the MLP's reads."""
    names = {but.linear.name, but.out, *(() if but.gate is None else (but.gate.name,))}
    for call in reversed(calls):
        if is_linear(call.module) and call.name not in names and call.read is not None:
            return Place(call.name, True, call.read.shape[-1])
    return None
