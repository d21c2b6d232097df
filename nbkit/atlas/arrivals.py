"""What a pass of the scan gives at several sites, looked at together.

A look at what was found waits for a GPU a dozen times, and asks a hundred small operations of it. For many sites at
once they cost little more than for one, and another thread waits (`nbkit.parallel.turns`) while the model goes on with
the next sites. On a CPU a site is looked at as soon as it is there, while its activations are still at hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from nbkit.atlas.snippets import TOKENS_AFTER, TOKENS_BEFORE
from nbkit.models.sign import Sign, strength

if TYPE_CHECKING:
    from nbkit.models.units import Units
    from nbkit.models.values import Values

SHARE_WAITING = 32
"""Of a GPU's memory one part in so many, at most, holds activations that are looked at together, for each atlas that is
scanned; as many may wait. What is looked up of them takes five times as much in a first pass, every peak of which may
be a dataset example."""
PINNED = 1 << 26
"""Bytes that a GPU leaves at once in memory that it may write to by itself; elsewhere it takes fifty times as long."""


class Arrival(NamedTuple):
    """What a pass gives at a site."""

    site: int
    """Its number."""
    vectors: Float[Tensor, "b t width"]
    """What its units read."""
    values: Values
    peak: Float[Tensor, "b n_units"]
    """Largest strengths."""
    finite: Bool[Tensor, "b n_units"]
    """Whether they are."""


class Chosen(NamedTuple):
    """Some peaks of some arrivals, by arrival."""

    arrival: Int[Tensor, " n"]
    context: Int[Tensor, " n"]
    """In the pass."""
    unit: Int[Tensor, " n"]


def may_wait(units: Units) -> bool:
    """Whether what arrived is looked at later: on a GPU, but for a module of a user's own, which may write over what
    its layers gave."""
    return units.device.type == "cuda" and units.kind == "text"


def sites_together(units: Units, widest: int, tokens: int) -> int:
    """How many sites are looked at together.

    Args:
        widest: units of the largest site.
        tokens: of a pass.
    """
    if not may_wait(units):
        return 1
    memory = torch.cuda.get_device_properties(units.device).total_memory
    return max(1, memory // SHARE_WAITING // (widest * tokens * units.dtype.itemsize))


def fetched(tensor: Tensor) -> Tensor:
    """A tensor on the CPU."""
    if tensor.device.type != "cuda":
        return tensor.cpu()
    flat = tensor.reshape(-1)
    there, size = torch.empty(flat.shape, dtype=flat.dtype), PINNED // flat.itemsize
    for part, into in zip(flat.split(size), there.split(size), strict=True):
        into.copy_(torch.empty(part.shape, dtype=part.dtype, pin_memory=True).copy_(part))
    return there.view(tensor.shape)


def joined_peaks(arrivals: Sequence[Arrival]) -> Float[Tensor, "s b widest"]:
    """The peaks of several sites in one tensor; where a site has fewer units than the widest, -infinity."""
    if len(arrivals) == 1:
        return arrivals[0].peak[None]
    widest = max(each.peak.shape[1] for each in arrivals)
    return torch.stack([pad(each.peak, (0, widest - each.peak.shape[1]), value=-torch.inf) for each in arrivals])


def looked_up(
    arrivals: Sequence[Arrival],
    peak: Float[Tensor, "s b widest"],
    of_levels: Chosen,
    of_examples: Chosen,
    text: Bool[Tensor, " positions"],
    first: int,
    sign: Sign,
) -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
    """What is kept of chosen peaks, on the CPU.

    Args:
        arrivals: all with vectors of one shape.
        peak: their `joined_peaks`.
        of_levels: chosen for the levels.
        of_examples: chosen as candidates for dataset examples.
        text: whether a position from `first` on holds text.
        sign: of the scan.

    Yields:
        For each arrival its peaks `of_levels` and those `of_examples`: `neuron`, `context` in the pass, `position`,
        `activation`, `window`; of the latter also `vector`, a row of `pre_mlp`.
    """
    for_levels = torch.arange(len(of_levels.unit) + len(of_examples.unit), device=peak.device) < len(of_levels.unit)
    arrival, context, unit = (torch.cat(parts) for parts in zip(of_levels, of_examples, strict=True))
    if len(arrivals) > 1:
        order = arrival.argsort(stable=True)
        arrival, context, unit, for_levels = arrival[order], context[order], unit[order], for_levels[order]
    counts = [torch.bincount(each.arrival, minlength=len(arrivals)) for each in (of_levels, of_examples)]
    n_levels, n_examples = torch.stack(counts).tolist()
    sizes = [a + b for a, b in zip(n_levels, n_examples, strict=True)]
    places = zip(arrivals, context.split(sizes), unit.split(sizes), strict=True)
    trace = torch.cat([each.values.traces(*at) for each, *at in places])  # (n, t)
    activation = peak[arrival, context, unit]
    end = first + len(text)
    reaches = (strength(trace[:, first:end], sign) == activation[:, None]) & text[: trace.shape[1]]
    position = first + reaches.to(torch.uint8).argmax(1)

    b, t, _ = arrivals[0].vectors.shape
    keys = (arrival * b * t + context * t + position)[~for_levels]
    keys, vector = keys.unique(return_inverse=True)
    n_vectors = torch.bincount(keys // (b * t), minlength=len(arrivals)).tolist()
    read = zip(arrivals, (keys % (b * t)).split(n_vectors), strict=True)
    pre_mlp = fetched(torch.cat([each.vectors.flatten(0, 1)[at] for each, at in read]))

    numbers = fetched(torch.stack([unit, context, position]).int())
    kept = dict(zip(("neuron", "context", "position"), numbers, strict=True))
    kept |= {"activation": fetched(activation), "window": fetched(_windows(trace, position))}
    split = {name: tensor.split(n) for name, tensor in kept.items() for n in [_alternating(n_levels, n_examples)]}
    rows, vectors, start = fetched(vector.int()).split(n_examples), pre_mlp.split(n_vectors), 0
    for number in range(len(arrivals)):
        levels, examples = ({name: parts[2 * number + place] for name, parts in split.items()} for place in (0, 1))
        yield levels, {**examples, "vector": rows[number] - start, "pre_mlp": vectors[number]}
        start += n_vectors[number]


def _alternating(first: Sequence[int], second: Sequence[int]) -> list[int]:
    return [n for pair in zip(first, second, strict=True) for n in pair]


def _windows(trace: Float[Tensor, "n t"], position: Tensor) -> Float[Tensor, "n window"]:
    """Activations from TOKENS_BEFORE before `position` to TOKENS_AFTER behind it; 0 outside the context."""
    at = position[:, None] + torch.arange(-TOKENS_BEFORE, TOKENS_AFTER + 1, device=trace.device)
    inside = (at >= 0) & (at < trace.shape[1])
    return trace.gather(1, at.clamp(0, trace.shape[1] - 1)).masked_fill(~inside, 0)
