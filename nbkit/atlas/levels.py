"""How often, and where, a neuron peaks at each level of activation, not only near its maximum.

Text near a neuron's maximum can look as if the neuron answered to one thing while most of what it answers to lies lower
(the "interpretability illusion", Bolukbasi et al. 2021). So the scan also counts in how many contexts the peak
activation falls into each *band*, and keeps the first contexts in corpus order of every band. Where activations below
zero count too, bands are of their strengths (see `nbkit.models.sign`).

Bands have the edges 2^k, 1.5 * 2^k, 2^(k + 1), …: the number of a band is the exponent and the first digit of the
peak's mantissa, cut from the bits of the float32. No logarithm, no rounding: the same on any machine. Kept are the
`N_BANDS` bands (six octaves) that end with that of the neuron's largest activation on the corpus, which is only known
at the end; but the largest so far only rises, so what lies `N_BANDS` below it will never be kept, and a context that
`N_SHOWN` earlier ones of its band precede is never among the first. As with the dataset examples (`scan.py`), what
earlier blocks tell makes a block's result smaller and never different after the merge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nbkit.atlas.arrivals import Chosen
from nbkit.atlas.candidates import Candidates, filled, rank_in_group, selected
from nbkit.atlas.snippets import TOKENS_BEFORE

N_BANDS = 12
N_SHOWN = 2

_BITS = 22  # a float32 without its sign: 8 bits of exponent and the first of the mantissa, then 22 more
_ALL = (1 << N_BANDS) - 1  # as a set of bands


@dataclass(frozen=True, eq=False)
class Level:
    """A band of peak strengths, and the first m = min(count, 2) contexts in corpus order whose peak lies in it."""

    low: float
    """Strengths from `low` on belong to it,"""
    high: float
    """and below `high`."""
    count: int
    """Contexts of the corpus that peak in it."""
    context: Int[np.ndarray, " m"]
    position: Int[np.ndarray, " m"]
    """Of the peak in its context."""
    peak: Float[np.ndarray, " m"]
    """The activation there."""
    window: Float[np.ndarray, "m window"]
    """Activations from 20 tokens before the peak to 10 after; 0 outside the context."""


def band(peak: Float[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """Number of the band that a float32 peak lies in; 0, which is no band, if it isn't positive (or below 2^-127)."""
    return (peak.view(torch.int32) >> _BITS).clamp(min=0)


def low_edge(number: Int[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """The smallest activation in a band."""
    return (np.asarray(number, dtype=np.int32) << _BITS).view(np.float32)


class LevelCounts:
    """The number of contexts in each neuron's bands, block after block; place r of `count` is the band `top` - r."""

    def __init__(self, *neurons: int) -> None:
        self.top = torch.zeros(neurons, dtype=torch.int32)
        self.count = torch.zeros(*neurons, N_BANDS, dtype=torch.int32)

    def absorb(self, maximum: Float[Tensor, "*neurons"], count: Int[Tensor, "*neurons bands"]) -> None:
        """Adds a block's counts, which are relative to the band of the block's own maximum."""
        added = self._raised(maximum, count)
        self.count = self.count + added

    def learn(self, maximum: Float[Tensor, "*neurons"], shown: Int[Tensor, "*neurons"]) -> None:
        """Takes in `shown` of another process, relative to the band of the maximum that it knew. Both may have counted
        the same contexts, so that the larger count holds, not the sum."""
        places = 2 * torch.arange(N_BANDS, dtype=torch.int32)
        others = self._raised(maximum, shown[..., None] >> places & 3)
        self.count = torch.maximum(self.count, others)

    @property
    def shown(self) -> Int[Tensor, "*neurons"]:
        """The counts, those above `N_SHOWN` as that: of place r in the bits 2 r and 2 r + 1."""
        places = 2 * torch.arange(N_BANDS, dtype=torch.int32)
        return (self.count.clamp(max=N_SHOWN) << places).sum(-1, dtype=torch.int32)

    def _raised(self, maximum: Float[Tensor, "*neurons"], count: Int[Tensor, "*neurons bands"]) -> Tensor:
        """Raises `top` to the band of a maximum, if that is higher. Gives counts, relative to that band, by the new
        top."""
        others = band(maximum.where(maximum.isfinite(), 0))
        top = torch.maximum(self.top, others)
        self.count, self.top = _lowered(self.count, top - self.top), top
        return _lowered(count, top - others)


def _lowered(count: Int[Tensor, "*neurons bands"], by: Int[Tensor, "*neurons"]) -> Int[Tensor, "*neurons bands"]:
    """The counts, relative to a band that lies `by` higher."""
    place = torch.arange(N_BANDS) - by[..., None]
    return count.gather(-1, place.clamp(min=0).long()).masked_fill(place < 0, 0)


class LevelScan:
    """The levels of one block, pass after pass.

    Sets of bands are int32 whose bit r is the band r below the largest so far: `_begun` those that a context has
    peaked in, `_open` those that need more examples.
    """

    def __init__(self, earlier: LevelCounts, n_contexts: int, device: torch.device) -> None:
        bits = 1 << torch.arange(N_BANDS, dtype=torch.int32)
        n_sites, widest = earlier.top.shape
        self._top = earlier.top.to(device, copy=True)
        self._begun = ((earlier.count > 0) * bits).sum(-1, dtype=torch.int32).to(device)
        self._open = ((earlier.count < N_SHOWN) * bits).sum(-1, dtype=torch.int32).to(device)
        self._open &= ~(1 << self._top.clamp(max=31))  # number 0 is no band and takes no examples
        self._bands = torch.zeros(n_sites, n_contexts, widest, dtype=torch.int16, device=device)

    def take(self, row: Int[Tensor, " s"], start: int, peak: Float[Tensor, "s b n_units"]) -> Chosen:
        """Takes the peaks of a pass over the block's contexts from `start` on, at the sites of some rows.

        Returns:
            The peaks that may be among the first of their band, by site, neuron and band.
        """
        bands, n = band(peak), peak.shape[2]
        self._bands[row, start : start + peak.shape[1], :n] = bands.short()
        top = torch.maximum(self._top[row, :n], bands.amax(1))
        rise = (top - self._top[row, :n]).clamp(max=N_BANDS)
        begun = self._begun[row, :n] << rise
        unfilled = (self._open[row, :n] + 1 << rise) - 1 & _ALL  # higher ones are open
        below = (top[:, None] - bands).clamp(max=31)
        site, context, neuron = (unfilled[:, None] >> below & 1).nonzero(as_tuple=True)
        if len(neuron):
            group, order = ((site * n + neuron) * N_BANDS + below[site, context, neuron]).sort(stable=True)
            site, context, neuron, of_neuron = site[order], context[order], neuron[order], group // N_BANDS
            bit = 1 << (group % N_BANDS).int()
            rank = rank_in_group(group) + ((begun.view(-1)[of_neuron] & bit) != 0)
            # Of a rank a band has one context at most, so that no bit is added twice.
            begun.view(-1).index_add_(0, of_neuron, bit * (rank == 0))
            unfilled.view(-1).index_add_(0, of_neuron, bit * (rank == N_SHOWN - 1), alpha=-1)
            needed = rank < N_SHOWN
            site, context, neuron = site[needed], context[needed], neuron[needed]
        self._top[row, :n], self._begun[row, :n], self._open[row, :n] = top, begun, unfilled
        return Chosen(site, context, neuron)

    def count(self, row: int, n_units: int) -> Int[Tensor, "n_units bands"]:
        """The block's contexts in each band, relative to that of the block's own maximum."""
        bands, width = self._bands[row, :, :n_units], N_BANDS + 1  # the last place is for what lies lower
        top = bands.amax(0)
        starts = torch.arange(0, n_units * width, width, dtype=torch.int32, device=top.device)
        place = (top - bands).clamp(max=N_BANDS) + starts
        count = torch.bincount(place.flatten(), minlength=n_units * width).view(n_units, width)[:, :N_BANDS]
        no_band = torch.arange(N_BANDS, device=top.device) >= top[:, None]
        return count.masked_fill(no_band, 0).int().cpu()

    def joined(self, row: int, batches: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """The passes' examples together, without those that a later maximum has left too far below."""
        examples = {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}
        keep = self._top[row].cpu()[examples["neuron"].long()] - band(examples["activation"]) < N_BANDS
        return {name: tensor[keep] for name, tensor in examples.items()}


def merge_levels(blocks: Sequence[Mapping[str, Tensor]], layer: int, row: int) -> dict[str, Tensor]:
    """The levels of one site, the `row`-th that was scanned: the merge step.

    Returns:
        `level_top` (n_units,), the number of the band of a neuron's largest activation, 0 if it was never positive or
        an activation is not finite;
        `level_count` (n_units, N_BANDS), the contexts in that band and the ones below; and unit j's examples, from the
        highest band down, in rows level_offsets[j] to level_offsets[j + 1] of `level_context`, `level_position`,
        `level_activation`, a strength, and `level_window`: N_SHOWN of each band, or as many as there are.
    """
    n_units = len(blocks[0][f"{layer}.level.count"])
    counts, unknown = LevelCounts(n_units), torch.zeros(n_units, dtype=torch.bool)
    for block in blocks:
        maximum = block["maximum"][row, :n_units]
        counts.absorb(maximum, block[f"{layer}.level.count"])
        unknown |= maximum.isnan()
    counts.count[unknown], counts.top[unknown] = 0, 0

    def select(some: Candidates) -> Tensor:
        neuron = some.neuron.long()
        below = counts.top[neuron] - band(some.activation)
        group = neuron * N_BANDS + below
        inside = ((below < N_BANDS) & ~unknown[neuron]).nonzero()[:, 0]
        order = inside[group[inside].argsort(stable=True)]
        return order[rank_in_group(group[order]) < N_SHOWN]

    kept = selected(blocks, f"{layer}.level", select)
    shown = counts.count.clamp(max=N_SHOWN).sum(1)
    return {
        "level_top": counts.top.short(),
        "level_count": counts.count,
        "level_offsets": torch.cat([torch.zeros(1, dtype=torch.long), shown.cumsum(0)]),
        **{
            f"level_{name}": filled(blocks, f"{layer}.level.{name}", kept.source, kept.row)
            for name in ("context", "position", "activation", "window")
        },
    }


def read_levels(tensors: Mapping[str, Tensor], index: int) -> tuple[Level, ...]:
    """The levels of a neuron, the highest first, down to the lowest that a context peaks in; see `merge_levels`."""
    count = tensors["level_count"][index].numpy()
    n = int(np.flatnonzero(count).max(initial=-1)) + 1
    edges = low_edge(int(tensors["level_top"][index]) + 1 - np.arange(n + 1)).tolist()
    stops = int(tensors["level_offsets"][index]) + np.minimum(count, N_SHOWN).cumsum()
    starts = [int(tensors["level_offsets"][index]), *stops.tolist()]
    context, position, window = (tensors[f"level_{name}"].numpy() for name in ("context", "position", "window"))
    columns = context, position, window[:, TOKENS_BEFORE], window
    return tuple(
        Level(edges[i + 1], edges[i], int(count[i]), *(column[starts[i] : starts[i + 1]] for column in columns))
        for i in range(n)
    )
