"""Which weights make a model the model that it is: those that an atlas is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from torch import Tensor

from nbkit.files import sha256_of_tensors
from nbkit.models.dispatched import stored_names, value_of
from nbkit.models.trace import Trace
from nbkit.models.unembedding import Unembedding


def used_weights(network: Any, traced: Trace, end: Unembedding | None) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    """The weights of the blocks, of what runs before them, and of the way to the logits: their names, and functions
    that read them.

    A pooler or another head is none of them: it may be missing from the files, and is then drawn at random on every
    opening. What a module doesn't store (positions, masks) is none either.
    """
    first = traced.blocks[0]
    used = {id(call.module) for call in traced.around if call.order < first.order}
    used |= {id(module) for call in traced.blocks for module in call.module.modules()}
    used |= set() if end is None else {id(end.norm)}
    for name, module in network.named_modules():
        keys: list[str] = []
        if id(module) in used:
            keys = stored_names(module)
        elif end is not None and module is end.head:
            keys = ["weight"]
        yield from ((f"{name}.{key}".lstrip("."), partial(value_of, module, key)) for key in keys)


def fingerprint(network: Any, traced: Trace, end: Unembedding | None) -> str:
    """sha256 of the weights in use, with their names, shapes and dtype; the names as in the network without its head,
    so that a model is itself with another head, or none."""
    prefix = f"{network.base_model_prefix}."
    named = ((name.removeprefix(prefix), read) for name, read in used_weights(network, traced, end))
    return sha256_of_tensors(named)
