"""Models that accelerate has spread over several devices, the CPU's memory and files: *dispatched* ones.

A module of such a model has a hook that moves what it reads to where it computes. If its weights are kept on the CPU or
in a file, the hook brings them there for that time; before and after they are on PyTorch's `meta` device, without
values. The weights themselves are in the hook's map.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from nbkit.errors import NbkitError

ADDED_BY_ACCELERATE = ("_hf_hook", "_old_forward", "to", "cuda")
"""What accelerate adds to a module, beside another `forward`."""


def is_dispatched(network: nn.Module) -> bool:
    """Whether any module of a network has a hook of accelerate's."""
    return any(True for module in network.modules() for _ in hooks_of(module))


def hooks_of(module: nn.Module) -> Iterator[Any]:
    """accelerate's hooks of a module itself."""
    hook: Any = getattr(module, "_hf_hook", None)
    if hook is not None:
        yield from getattr(hook, "hooks", (hook,))  # several are in one that runs them in turn


def device_of(network: Any) -> torch.device:
    """Where a network takes tokens: of a dispatched one where its first modules compute."""
    for module in network.modules():
        for hook in hooks_of(module):
            if hook.execution_device is not None:
                return torch.device(hook.execution_device)
    device: torch.device = network.get_input_embeddings().weight.device
    return device


def value_of(module: nn.Module, name: str) -> Tensor:
    """A parameter or buffer of a module itself, with its values, wherever they are; what is kept in a file is read on
    every call.

    Raises:
        KeyError: if it has none of the name.
        NbkitError: if it isn't kept where the module's hook looks for it.
    """
    tensor = (module._parameters | module._buffers)[name]
    if tensor is None:
        raise KeyError(name)
    return _kept(module, name, tensor) if _is_elsewhere(module, name, tensor) else tensor


def named_values(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """What a network's `state_dict` names, one after the other, with their values."""
    for prefix, module in network.named_modules():
        yield from ((f"{prefix}.{name}".lstrip("."), value_of(module, name)) for name in stored_names(module))


def stored_names(module: nn.Module) -> list[str]:
    """The parameters of a module itself, and the buffers that are stored with it; those that are None left out."""
    passing = module._non_persistent_buffers_set
    own = module._parameters | {name: each for name, each in module._buffers.items() if name not in passing}
    return [name for name, tensor in own.items() if tensor is not None]


def check_places(name: str, network: nn.Module) -> None:
    """Raises NbkitError if a network is on several devices and has no hooks, or doesn't tell where its weights are."""
    tensors = [(module, key, each) for module in network.modules() for key, each in module._parameters.items()]
    lost = any(
        each.device.type == "meta" and not any(hook.offload for hook in hooks_of(module))
        for module, _, each in tensors
        if each is not None
    )
    places = {each.device for _, _, each in tensors if each is not None}
    if lost or (len(places) > 1 and not is_dispatched(network)):
        raise NbkitError(
            f"model {name!r} lies on {', '.join(sorted(map(str, places)))}: load it on one device, or with a "
            "device_map that tells of every module where it is"
        )


def copies(module: nn.Module) -> dict[int, Any]:
    """For `deepcopy`, as what is copied already: instead of each tensor that is elsewhere one of its values, and
    nothing instead of a hook."""
    found: dict[int, Any] = {}
    for each in module.modules():
        if (hook := getattr(each, "_hf_hook", None)) is not None:
            found[id(hook)] = None
        for name, tensor in (*each._parameters.items(), *each._buffers.items()):
            if tensor is not None and _is_elsewhere(each, name, tensor):
                value = _kept(each, name, tensor).detach().clone()
                found[id(tensor)] = nn.Parameter(value, requires_grad=False) if name in each._parameters else value
    return found


def shared_maps(network: nn.Module) -> dict[int, Any]:
    """For `deepcopy`, likewise: the hooks' maps, which a copy of the network shares."""
    maps = [each for module in network.modules() for hook in hooks_of(module) for each in _maps(hook)]
    return {id(each): each for each in maps}


def unhook(module: nn.Module) -> None:
    """Takes accelerate's hooks from a copy, for good: nothing is moved any more."""
    for each in module.modules():
        if "_old_forward" in each.__dict__:
            each.forward = each.__dict__["_old_forward"]
        for name in ADDED_BY_ACCELERATE:
            each.__dict__.pop(name, None)


def _is_elsewhere(module: nn.Module, name: str, tensor: Tensor) -> bool:
    """Whether the module computes with another tensor than it holds."""
    brought = name in module._parameters and any(hook.offload for hook in hooks_of(module))
    return brought or tensor.device.type == "meta"


def _kept(module: nn.Module, name: str, tensor: Tensor) -> Tensor:
    try:
        value: Tensor = next(hook.weights_map for hook in hooks_of(module) if hook.offload)[name]
    except KeyError as error:
        raise NbkitError(
            f"the {name} of a {type(module).__name__} isn't kept where its module is: give weights that are tied the "
            "same place in device_map"
        ) from error
    return value.to(tensor.dtype)  # as the hook does


def _maps(hook: Any) -> list[Any]:
    """What accelerate's hook knows of the weights: its map of them, and which of them are tied and lie where."""
    return [each for each in (hook.weights_map, hook.tied_params_map) if each is not None]
