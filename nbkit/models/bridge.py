"""TransformerLens' bridge of a model: made from one that nbkit opened, or taken as a user gives it.

nbkit itself captures in the Hugging Face modules. TransformerLens wraps those, adds tokens of its own to a tokenizer,
and installs packages that it misses; so it gets copies, and may not.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any
from unittest.mock import patch

from torch import nn

from nbkit.assets import hub_as_asked
from nbkit.errors import NbkitError
from nbkit.models.dispatched import is_dispatched
from nbkit.models.trace import twin


def make_bridge(name: str, network: Any, tokenizer: Any) -> Any:
    """TransformerLens' bridge of a copy of the network that shares its weights.

    Raises:
        NbkitError: if TransformerLens can't make one, or the network is spread over devices.
    """
    if is_dispatched(network):
        raise NbkitError(
            f"nbkit makes no TransformerLens bridge of model {name!r}, which is spread over devices: use `network`, "
            "its Hugging Face model, or open it on one device"
        )
    from transformer_lens.model_bridge import TransformerBridge
    from transformer_lens.model_bridge.sources.transformers import source

    weight = next(network.parameters())
    place = {"dtype": weight.dtype, "device": str(weight.device)}
    own = deepcopy(tokenizer)
    own.init_kwargs |= {"name_or_path": name, "add_bos_token": True}  # or TransformerLens opens another that adds it
    # What would read images and sound is no part of a language model, and TransformerLens installs what that takes.
    no_processors = patch.object(source, "load_modality_processor", lambda *_: None)
    try:
        with hub_as_asked(offline=True), no_processors:
            return TransformerBridge.boot_transformers(name, hf_model=twin(network), tokenizer=own, **place)
    except Exception as error:  # whatever it raises, there is no bridge
        reason = (str(error).strip().splitlines() or [""])[0][:100]
        raise NbkitError(
            f"TransformerLens makes no bridge of model {name!r} ({type(error).__name__}: {reason}): use `network`, its "
            "Hugging Face model"
        ) from error


def network_of(bridge: Any) -> Any:
    """A copy of the Hugging Face model in a bridge, without TransformerLens' wrappers; it shares the weights.

    Raises:
        NbkitError: if the bridge has changed the model's weights.
    """
    if bridge._weights_processed:
        raise NbkitError(
            "this bridge's weights were changed by enable_compatibility_mode(): give a bridge without it, or the "
            "Hugging Face model"
        )
    swapped: list[tuple[nn.Module, str, nn.Module]] = []
    _unwrap(bridge.original_model, swapped)
    try:
        return twin(bridge.original_model)
    finally:
        for parent, name, component in reversed(swapped):
            parent._modules[name] = component


def is_bridge(thing: object) -> bool:
    """Whether something is a TransformerBridge, without importing TransformerLens."""
    return any(each.__name__ == "TransformerBridge" for each in type(thing).__mro__)


def _unwrap(module: nn.Module, swapped: list[tuple[nn.Module, str, nn.Module]]) -> None:
    """Puts the Hugging Face modules back where TransformerLens wrapped them; remembers what it replaced."""
    from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent

    for name, child in list(module._modules.items()):
        while isinstance(child, GeneralizedComponent) and child.original_component is not None:
            swapped.append((module, name, child))
            child = child.original_component
            module._modules[name] = child
        if child is not None:
            _unwrap(child, swapped)
