"""Which weights make a model the model that it is: those that its neurons' inputs are computed with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nbkit.models.trace import Trace


def used_weights(network: Any, traced: Trace, beyond: Sequence[nn.Module] = ()) -> Iterator[tuple[str, Tensor]]:
    """The weights of the blocks, of what runs before them, and of the modules `beyond`, with their names.

    A pooler or a head is none of them: it may be missing from the files, and is then drawn at random on every opening.
    """
    first = traced.blocks[0]
    ran = {id(call.module) for call in traced.around if call.order < first.order}
    inside = {id(module) for call in traced.blocks for module in call.module.modules()}
    inside |= {id(module) for each in beyond for module in each.modules()}
    for name, module in network.named_modules():
        if id(module) not in ran | inside:
            continue
        kept = {key for key in module._buffers if key not in module._non_persistent_buffers_set}
        for key, tensor in [*module._parameters.items(), *((key, module._buffers[key]) for key in sorted(kept))]:
            if tensor is not None:
                yield f"{name}.{key}".lstrip("."), tensor


def fingerprint(network: Any, traced: Trace, beyond: Sequence[nn.Module]) -> str:
    """sha256 of the weights in use, with their names, shapes and dtype; the names as in the network without its head,
    so that a model is itself with another head, or none."""
    prefix, digest = f"{network.base_model_prefix}.", hashlib.sha256()
    named = ((name.removeprefix(prefix), tensor) for name, tensor in used_weights(network, traced, beyond))
    for name, tensor in sorted(named, key=lambda pair: pair[0]):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
