"""What the blocks of a scan hold for the merge: candidates of all neurons, in corpus order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor


def candidates(blocks: Sequence[Mapping[str, Tensor]], prefix: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """All candidates of the blocks, in order: the block of each, its row there, its neuron, and its activation."""
    light = [(block[f"{prefix}.neuron"], block[f"{prefix}.activation"]) for block in blocks]
    source = torch.cat([torch.full((len(neuron),), i, dtype=torch.int32) for i, (neuron, _) in enumerate(light)])
    row = torch.cat([torch.arange(len(neuron), dtype=torch.int32) for neuron, _ in light])
    return source, row, torch.cat([neuron for neuron, _ in light]), torch.cat([activation for _, activation in light])


def filled(
    blocks: Sequence[Mapping[str, Tensor]], name: str, rows: Sequence[Tensor], targets: Sequence[Tensor]
) -> Tensor:
    """A tensor with `rows` of the tensor `name` of each block at the places `targets`, which cover it."""
    filled: Tensor | None = None
    for block, of_block, target in zip(blocks, rows, targets, strict=True):
        part = block[name]
        if filled is None:
            filled = part.new_empty((sum(map(len, targets)), *part.shape[1:]))
        filled[target] = part[of_block]
    assert filled is not None
    return filled


def rank_in_group(group: Tensor) -> Tensor:
    """How many equal entries precede each entry of a sorted (n,) tensor."""
    index = torch.arange(len(group), device=group.device)
    starts = torch.ones(len(group), dtype=torch.bool, device=group.device)
    starts[1:] = group[1:] != group[:-1]
    return index - torch.where(starts, index, 0).cummax(0).values if len(group) else index
