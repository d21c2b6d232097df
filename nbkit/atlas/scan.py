"""The pass over the contexts that finds every neuron's dataset examples.

A *dataset example* of a neuron is (context, key position, activation): the neuron's highest activation in a context, at
the first position that attains it, positions of added special tokens left out. A context counts if that activation is
positive and reaches `threshold` times the neuron's maximum; the first `max_examples` of them in corpus order are kept.
Where activations below zero count too, all this holds for their strengths (see `nbkit.models.sign`), as all that
follows; what a block calls `activation` and `maximum` are strengths, its windows hold the activations themselves.

**Why one forward pass per context suffices**, although the maximum is only known at the end. After some contexts let R
be the neuron's largest activation so far. The final maximum is at least R, so a context below ``threshold * R`` can be
dropped at once. And for a context with activation a, if k = `max_examples` earlier contexts reach a, then whatever the
final maximum: if a passes, so do those k, and a is not among the first k. So a context is needed only if it reaches
``threshold * R`` and fewer than k earlier ones reach a; for contexts in random order about k * (1 + ln(n / k)) of n
survive the second rule alone. Of those *candidates* the scan keeps the pre-MLP vector and the display window, and the
selection at the end is exact. No block is read a second time, unless its file is lost.

The scan is a map over blocks of contexts (`scan_block`) and a merge in corpus order (`merge_layer`). `Bounds` carries R
and the k-th largest activation from block to block. They only make a block's result smaller, never different after the
merge, so blocks may also run anywhere, in any order, with empty bounds.

A unit with an activation that is not finite, as one that overflows in half precision, has no maximum: NaN, which
stays NaN through every comparison here, and no examples. It takes none from other units unless the vectors that a
site's units read are not finite any more: then no number behind it is worth anything, and the scan ends.

The same pass finds every neuron's levels of activation (`nbkit.atlas.levels`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import pad

from nbkit.atlas.candidates import rank_in_group
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.levels import LevelCounts, LevelScan
from nbkit.atlas.snippets import TOKENS_AFTER, TOKENS_BEFORE
from nbkit.errors import NbkitError
from nbkit.models.sign import strength

if TYPE_CHECKING:
    from nbkit.corpora import Contexts
    from nbkit.models.site import Site
    from nbkit.models.units import Units
    from nbkit.models.values import Values


TOGETHER = 1 << 32
"""Bytes of activations that wait on a GPU at most, to be looked through at once."""

Block = dict[str, Tensor]
"""What a block of contexts gives, as named tensors: `maximum` (sites, units of the largest site), NaN of a unit with an
activation that is not finite, -infinity where a smaller site has none; and for each site L and its candidates
`L.neuron`, `L.context`, `L.position`, `L.activation`, `L.window` (candidates, WINDOW), `L.vector` (a row of
`L.pre_mlp`), and `L.pre_mlp` (rows, width), a row once however many units share it. Of the levels, `L.level.count`
(see `LevelScan.count`) and for their examples `L.level.neuron` to `L.level.window`."""


class Bounds:
    """What earlier blocks say about the units: their maximum, the k-th largest activation of a candidate, and how
    many contexts peaked at which level. Of sites with fewer units than the largest the last places are unused."""

    def __init__(self, n_sites: int, widest: int, max_examples: int, device: torch.device | None = None) -> None:
        self.maximum = torch.zeros(n_sites, widest)
        self.levels = LevelCounts(n_sites, widest)
        # Descending. Where the units are computed, since a block's candidates would keep a CPU busy for longer than a
        # GPU takes for the block.
        self._largest = torch.full((n_sites, widest, max_examples), -torch.inf, device=device)

    @property
    def kth_largest(self) -> Float[Tensor, "sites widest"]:
        return self._largest[..., -1]

    def absorb(self, block: Mapping[str, Tensor], layers: Sequence[int]) -> None:
        """Takes the next block's result in."""
        self.maximum = torch.maximum(self.maximum, block["maximum"])
        counts = [block[f"{layer}.level.count"] for layer in layers]
        widest = self.maximum.shape[1]
        padded = torch.stack([pad(count, (0, 0, 0, widest - len(count))) for count in counts])
        self.levels.absorb(block["maximum"], padded)
        device = self._largest.device
        for row, layer in enumerate(layers):
            neuron, activation = (block[f"{layer}.{name}"].to(device) for name in ("neuron", "activation"))
            neuron = neuron.long()
            order = neuron.argsort(stable=True)
            neuron, activation = neuron[order], activation[order]
            rank = rank_in_group(neuron)
            if len(rank):
                new = self._largest.new_full((widest, int(rank.max()) + 1), -torch.inf)
                new[neuron, rank] = activation
                largest = torch.cat([self._largest[row], new], dim=1)
                self._largest[row] = largest.topk(self._largest.shape[-1], dim=1).values


class _Arrived(NamedTuple):
    """What a pass gives at a site."""

    layer: int
    vectors: Float[Tensor, "b t width"]
    values: Values
    peak: Float[Tensor, "b n_units"]
    finite: Bool[Tensor, "b n_units"]


def scan_block(
    units: Units,
    contexts: Contexts,
    start: int,
    config: AtlasConfig,
    bounds: Bounds | None = None,
    maxima: Float[Tensor, "sites widest"] | None = None,
) -> Block:
    """Candidates of the contexts `start` to `start + config.block_size`: the map step.

    Args:
        config: a resolved one.
        bounds: what earlier blocks found. Without it the result is larger, and the same after the merge.
        maxima: the units' maximum strengths, if they are known from elsewhere.

    Raises:
        NbkitError: if a vector that the units of a site read is not finite, or no unit of it has finite activations.
    """
    layers = config.numbers
    sites = {site.number: site for site in units.sites}
    sizes = [sites[layer].n_units for layer in layers]
    bounds = bounds or Bounds(len(layers), max(sizes), config.max_examples)
    stop = min(start + config.block_size, len(contexts.tokens))
    sign = config.sign
    text = np.flatnonzero(~contexts.special)
    first, end = int(text[0]), int(text[-1]) + 1
    inner_special = torch.from_numpy(contexts.special[first:end])
    inner_text = ~inner_special.to(units.device)
    running = bounds.maximum.clone().to(units.device)
    kth_largest = bounds.kth_largest.to(units.device)
    given = None if maxima is None else maxima.to(units.device)
    found: dict[int, list[Block]] = {layer: [] for layer in layers}
    levels = LevelScan(bounds.levels, stop - start, units.device)
    found_levels: dict[int, list[Block]] = {layer: [] for layer in layers}
    block_maximum = torch.full_like(running, -torch.inf)
    overflow: list[Site] = []
    together = _sites_together(units, max(sizes), config.batch_size * len(contexts.special))
    waiting: list[_Arrived] = []
    offset = start

    def capture(layer: int, vectors: Tensor, values: Values) -> None:
        if waiting and waiting[0].vectors.shape != vectors.shape:
            take_waiting()
        peak, finite = values.peaks(first, end, inner_special, sign)  # (b, n_units)
        waiting.append(_Arrived(layer, vectors, values, peak, finite))
        if len(waiting) >= together:
            take_waiting()

    def take_waiting() -> None:
        arrived = list(waiting)
        waiting.clear()
        if not arrived:
            return
        row = torch.tensor([layers.index(each.layer) for each in arrived], device=units.device)
        unknown = not_finite(arrived)
        peak = _padded([each.peak for each in arrived])  # (s, b, widest of these)
        n = peak.shape[2]
        highest = peak.amax(1)
        for number, neurons in unknown.items():
            highest[number, : len(neurons)][neurons] = torch.nan
        block_maximum[row, :n] = torch.maximum(block_maximum[row, :n], highest)
        running[row, :n] = torch.maximum(running[row, :n], highest)
        floor = config.threshold * (running if given is None else given)[row, :n]
        needed = (peak > 0) & (peak >= floor[:, None]) & (peak > kth_largest[row, :n][:, None])
        chosen = levels.take(row, offset - start, peak), needed.nonzero(as_tuple=True)
        site, context, neuron = (torch.cat(parts) for parts in zip(*chosen, strict=True))
        for_level = torch.arange(len(site), device=site.device) < len(chosen[0][0])
        if len(arrived) > 1:  # by site, and of a site what its levels take first
            order = site.argsort(stable=True)
            site, context, neuron, for_level = (each[order] for each in (site, context, neuron, for_level))
        counts = torch.stack([torch.bincount(site[which], minlength=len(arrived)) for which in (for_level, ~for_level)])
        of_levels, of_examples = counts.tolist()
        each_site = [a + b for a, b in zip(of_levels, of_examples, strict=True)]
        trace = torch.cat(
            [
                each.values.traces(*at)
                for each, *at in zip(arrived, context.split(each_site), neuron.split(each_site), strict=True)
            ]
        )  # (n, t)
        activation = peak[site, context, neuron]
        reaches = (strength(trace[:, first:end], sign) == activation[:, None]) & inner_text[: trace.shape[1]]
        position = first + reaches.to(torch.uint8).argmax(1)
        length, n_rows = arrived[0].vectors.shape[1], arrived[0].vectors.shape[:2].numel()
        keys, vector = (site * n_rows + context * length + position)[~for_level].unique(return_inverse=True)
        vectors_of = torch.bincount(keys // n_rows, minlength=len(arrived)).tolist()
        rows = torch.cat(
            [each.vectors.flatten(0, 1)[at % n_rows] for each, at in zip(arrived, keys.split(vectors_of), strict=True)]
        )
        whole = torch.stack([neuron, context + offset, position]).int().cpu()
        numbers = dict(zip(("neuron", "context", "position"), whole, strict=True))
        numbers |= {"activation": activation.cpu(), "window": _windows(trace, position).cpu()}
        vector, rows = vector.int().cpu(), rows.cpu()
        begin, begin_vector, begin_row = 0, 0, 0
        for number, each in enumerate(arrived):
            middle, stop_here = begin + of_levels[number], begin + each_site[number]
            found_levels[each.layer].append({name: tensor[begin:middle] for name, tensor in numbers.items()})
            found[each.layer].append(
                {
                    **{name: tensor[middle:stop_here] for name, tensor in numbers.items()},
                    "vector": vector[begin_vector : begin_vector + of_examples[number]] - begin_row,
                    "pre_mlp": rows[begin_row : begin_row + vectors_of[number]],
                }
            )
            begin, begin_vector, begin_row = (
                stop_here,
                begin_vector + of_examples[number],
                begin_row + vectors_of[number],
            )

    def not_finite(arrived: Sequence[_Arrived]) -> dict[int, Tensor]:
        """Which units of which sites have no maximum; takes their peaks out."""
        if bool(torch.stack([each.finite.all() for each in arrived]).all()):
            return {}
        found_here = {}
        for number, each in enumerate(arrived):
            unknown = ~each.finite.all(0)
            if not bool(unknown.any()):
                continue
            overflow.append(sites[each.layer])
            if bool(unknown.all()) or not bool(each.vectors.isfinite().all()):
                raise NbkitError(
                    f"model {units.name!r}, {overflow[0].title}: activations that are not finite in contexts {offset} "
                    f"to {offset + len(each.peak) - 1}, and with them all that is computed from them; its weights may "
                    f"overflow in {str(units.dtype).removeprefix('torch.')}, try dtype='float32'"
                )
            each.peak[:, unknown] = -torch.inf
            found_here[number] = unknown
        return found_here

    with units.reading(layers, capture) as read:
        for offset in range(start, stop, config.batch_size):
            read(contexts, slice(offset, min(offset + config.batch_size, stop)))
            take_waiting()

    block: Block = {"maximum": block_maximum.cpu()}
    for row, layer in enumerate(layers):
        floor = config.threshold * (running if given is None else given)[row, : sizes[row]]
        joined = _joined(found.pop(layer), floor.cpu())
        joined["pre_mlp"] = units.received(layer, joined["pre_mlp"])
        of_levels = {"count": levels.count(row, sizes[row]), **levels.joined(row, found_levels.pop(layer))}
        block |= {f"{layer}.{name}": tensor for name, tensor in joined.items()}
        block |= {f"{layer}.level.{name}": tensor for name, tensor in of_levels.items()}
    return block


def _sites_together(units: Units, widest: int, tokens: int) -> int:
    """How many sites are looked through at once: on a GPU many, since it waits for every look at what it has found, and
    for every one of a hundred small operations; on a CPU one, whose activations are still at hand."""
    if units.device.type == "cpu":
        return 1
    return max(1, TOGETHER // (widest * tokens * units.dtype.itemsize))


def _padded(peaks: Sequence[Float[Tensor, "b n_units"]]) -> Float[Tensor, "s b widest"]:
    """Peaks of several sites in one tensor; where a site has fewer units than the widest, -infinity."""
    if len(peaks) == 1:
        return peaks[0][None]
    widest = max(peak.shape[1] for peak in peaks)
    return torch.stack([pad(peak, (0, widest - peak.shape[1]), value=-torch.inf) for peak in peaks])


def _windows(trace: Float[Tensor, "n t"], position: Tensor) -> Float[Tensor, "n window"]:
    """Activations from TOKENS_BEFORE before `position` to TOKENS_AFTER behind it; 0 outside the context."""
    at = position[:, None] + torch.arange(-TOKENS_BEFORE, TOKENS_AFTER + 1, device=trace.device)
    inside = (at >= 0) & (at < trace.shape[1])
    return trace.gather(1, at.clamp(0, trace.shape[1] - 1)).masked_fill(~inside, 0)


def _joined(batches: list[Block], floor: Float[Tensor, " n_units"]) -> Block:
    """The batches of one site together, without the candidates that a later maximum has ruled out."""
    rows = [len(batch["pre_mlp"]) for batch in batches]
    for batch, shift in zip(batches, np.cumsum([0, *rows[:-1]]), strict=True):
        batch["vector"] = batch["vector"] + int(shift)
    joined = {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}
    keep = joined["activation"] >= floor[joined["neuron"].long()]
    pre_mlp = joined.pop("pre_mlp")
    joined = {name: tensor[keep].contiguous() for name, tensor in joined.items()}
    used, vector = joined["vector"].unique(return_inverse=True)
    return {**joined, "vector": vector.int(), "pre_mlp": pre_mlp[used.long()].contiguous()}
