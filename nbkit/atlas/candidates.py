"""What the blocks of a scan hold for the merge: candidates of all neurons, in corpus order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

CANDIDATES_TOGETHER = 1 << 18
"""Candidates among which some are selected at least, unless there are fewer,"""
BLOCKS_TOGETHER = 256
"""or they come from as many blocks."""


class Candidates(NamedTuple):
    """Some candidates of the blocks."""

    source: Int[Tensor, " n"]
    """The block of each."""
    row: Int[Tensor, " n"]
    """Its row there."""
    neuron: Int[Tensor, " n"]
    activation: Float[Tensor, " n"]

    def at(self, places: Int[Tensor, " m"]) -> Candidates:
        """Those at some places."""
        return Candidates(*(column[places] for column in self))


def selected(
    blocks: Sequence[Mapping[str, Tensor]], prefix: str, select: Callable[[Candidates], Int[Tensor, " m"]]
) -> Candidates:
    """What a rule keeps of the candidates of all blocks, of which few more than it keeps are in memory at a time.

    Args:
        select: gives the places of those that are kept, by neuron or finer groups and then in the order that they come
            in: of the candidates of the first blocks whatever it keeps of all.
    """
    parts: list[Candidates] = []
    kept = new = 0
    for number, block in enumerate(blocks):
        # Copies: what a file gives would keep it mapped.
        neuron, activation = (block[f"{prefix}.{name}"].clone() for name in ("neuron", "activation"))
        source, row = torch.full_like(neuron, number), torch.arange(len(neuron), dtype=torch.int32)
        parts.append(Candidates(source, row, neuron, activation))
        new += len(neuron)
        if new >= max(kept, CANDIDATES_TOGETHER) or len(parts) > BLOCKS_TOGETHER or number == len(blocks) - 1:
            together = Candidates(*map(torch.cat, zip(*parts, strict=True)))
            parts = [together.at(select(together))]
            kept, new = len(parts[0].row), 0
    return parts[0]


def filled(
    blocks: Sequence[Mapping[str, Tensor]], name: str, source: Int[Tensor, " n"], row: Int[Tensor, " n"]
) -> Tensor:
    """Rows of the tensor `name` of some blocks, of which one at a time is read.

    Args:
        source: the block of each row.
        row: its place there.
    """
    filled = blocks[0][name].new_empty((len(row), *blocks[0][name].shape[1:]))
    places = source.argsort(stable=True).split(torch.bincount(source, minlength=len(blocks)).tolist())
    for block, at in zip(blocks, places, strict=True):
        if len(at):
            filled[at] = block[name][row[at].long()]
    return filled


def rank_in_group(group: Tensor) -> Tensor:
    """How many equal entries precede each entry of a sorted (n,) tensor."""
    _, number, size = group.unique_consecutive(return_inverse=True, return_counts=True)
    before: Tensor = (size.cumsum(0) - size)[number]
    return torch.arange(len(group), device=group.device) - before
