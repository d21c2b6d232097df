"""What the modules of a network read and give on a few tokens: how nbkit finds out what a model is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from nbkit.errors import NbkitError
from nbkit.models.dispatched import copies, shared_maps, unhook
from nbkit.models.weights import is_linear


@dataclass(frozen=True, eq=False)
class Call:
    """A module's call in a forward pass."""

    name: str
    """Of the module in the network or block."""
    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Any
    order: int = 0
    """Of its beginning, among the calls that were noted."""

    @property
    def read(self) -> Tensor | None:
        """The first tensor that the module was given."""
        return first_tensor((self.args, tuple(self.kwargs.values())))

    @property
    def gave(self) -> Tensor | None:
        """The first tensor that it gave."""
        return first_tensor(self.output)

    @property
    def device(self) -> torch.device:
        """Where its tensors are."""
        read = self.read
        assert read is not None
        return read.device

    def in_float32(self) -> nn.Module:
        """A copy of the module, see `in_float32`, where the tensors are."""
        return in_float32(self.module, self.device)


@dataclass(frozen=True, eq=False)
class Trace:
    """A forward pass: its blocks' calls in order, and those of the modules around them."""

    blocks: tuple[Call, ...]
    around: tuple[Call, ...]


def trace(network: nn.Module, tokens: Int[Tensor, "b t"]) -> Trace:
    """Runs tokens through a network and finds its blocks: the one list of modules with weights that run once each.

    Wherever the modules compute, the tensors of their calls are on the tokens' device.

    Raises:
        NbkitError: if there is no such list, or several.
    """
    lists = [(name, module) for name, module in network.named_modules() if _is_list(module)]
    outer = [(name, each) for name, each in lists if not any(name.startswith(f"{other}.") for other, _ in lists)]
    inside = {id(module) for _, each in outer for member in each for module in member.modules()}
    members = {id(member) for _, each in outer for member in each}
    kept = [(n, module) for n, module in network.named_modules() if id(module) in members or id(module) not in inside]
    with recorded(kept, tokens.device) as calls, torch.inference_mode():
        network(input_ids=tokens, use_cache=False)
    ran: dict[int, list[Call]] = {}
    for call in calls:
        ran.setdefault(id(call.module), []).append(call)
    running = [each for _, each in outer if any(id(member) in ran for member in each) and _reads(each)]
    if len(running) != 1 or any(len(ran.get(id(member), ())) != 1 for member in running[0]):
        raise NbkitError("its layers are not one list of modules that run once each")
    blocks = tuple(ran[id(member)][0] for member in running[0])
    return Trace(blocks, tuple(call for call in calls if id(call.module) not in members))


@contextmanager
def recorded(modules: Sequence[tuple[str, nn.Module]], device: torch.device) -> Iterator[list[Call]]:
    """Inside, every call of the named modules is noted on a device, in the order in which they end."""
    calls: list[Call] = []
    given: dict[int, list[tuple[Any, Any, int]]] = {}
    begun = count()

    def copied(values: Any) -> Any:
        return tree_map_only(Tensor, lambda tensor: tensor.to(device, copy=True), values)

    def note_input(module: nn.Module, args: Any, kwargs: Any) -> None:
        # copied, since a module may write over its input
        given.setdefault(id(module), []).append((copied(args), copied(kwargs), next(begun)))

    def note_output(name: str) -> Callable[..., None]:
        def note(module: nn.Module, _: Any, __: Any, output: Any) -> None:
            args, kwargs, order = given[id(module)].pop()
            calls.append(Call(name, module, args, kwargs, copied(output), order))

        return note

    handles = []
    for name, module in modules:
        handles.append(module.register_forward_pre_hook(note_input, with_kwargs=True))
        handles.append(module.register_forward_hook(note_output(name), with_kwargs=True))
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def replay(block: nn.Module, call: Call) -> Tensor:
    """What a float32 copy of a block gives on what the block was given."""
    args, kwargs = tree_map_only(Tensor, _wide, (call.args, call.kwargs))
    with torch.inference_mode():
        output = first_tensor(block(*args, **kwargs))
    assert output is not None
    return output


def in_float32(module: nn.Module, device: torch.device) -> nn.Module:
    """A copy of a module with weights of its own, in float32 on a device, wherever those of the module are."""
    copy = deepcopy(module, copies(module))
    unhook(copy)
    return copy.float().to(device)


def twin(network: nn.Module) -> Any:
    """A copy of a network that shares its weights and nothing else: what is set, hooked or swapped in one doesn't reach
    the other. Without hooks, in evaluation mode."""
    shared: dict[int, Any] = {id(tensor): tensor for tensor in chain(network.parameters(), network.buffers())}
    copy = deepcopy(network, shared | shared_maps(network))
    for module in copy.modules():
        for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"):
            getattr(module, name).clear()
    return copy.eval()


def _is_list(module: nn.Module) -> bool:
    """Whether a module is a list of modules, and not one of lists."""
    return isinstance(module, nn.ModuleList) and not any(isinstance(member, nn.ModuleList) for member in module)


def _reads(members: Iterable[nn.Module]) -> bool:
    """Whether linear layers are among some modules: a list of norms or convolutions is no list of blocks."""
    return any(is_linear(module) for member in members for module in member.modules())


def _wide(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor.clone()


def first_tensor(values: Any) -> Tensor | None:
    """The first tensor in whatever a module was given or gave."""
    if isinstance(values, Tensor):
        return values
    if isinstance(values, dict):  # ModelOutput among others
        values = tuple(values.values())
    if not isinstance(values, tuple | list):
        return None
    return next((found for value in values if (found := first_tensor(value)) is not None), None)
