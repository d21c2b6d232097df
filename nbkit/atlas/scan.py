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
merge, so blocks may also run anywhere, in any order, with empty bounds. R may come from any block, since the largest
activation of any part of the corpus is none above the final maximum. What is counted of earlier contexts, k that reach
a here and those of a level of activation, holds only for the blocks behind them (`nbkit.atlas.board`).

A unit with an activation that is not finite, as one that overflows in half precision, has no maximum: NaN, which
stays NaN through every comparison here, and no examples. It takes none from other units unless the vectors that a
site's units read are not finite any more: then no number behind it is worth anything, and the scan ends.

The same pass finds every neuron's levels of activation (`nbkit.atlas.levels`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from nbkit.atlas.arrivals import Arrival, Chosen, joined_peaks, looked_up, sites_together
from nbkit.atlas.board import Board
from nbkit.atlas.candidates import rank_in_group
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.levels import LevelCounts, LevelScan
from nbkit.errors import NbkitError
from nbkit.files import release
from nbkit.parallel.turns import Turn, at_once

if TYPE_CHECKING:
    from nbkit.corpora import Contexts
    from nbkit.models.site import Site
    from nbkit.models.units import Units
    from nbkit.models.values import Values


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

    def learn(self, board: Board, number: int) -> None:
        """Takes in what other processes know, and what of it holds for a block and those behind it."""
        self.maximum = torch.maximum(self.maximum, board.maximum)
        counted = board.shown if board.stop <= number else torch.zeros_like(board.shown)
        self.levels.learn(board.maximum, counted)

    def board(self, stop: int) -> Board:
        """What other processes may learn.

        Args:
            stop: the block behind those that were taken in.
        """
        return Board(self.maximum, self.levels.shown, stop)

    def forget_counts(self) -> None:
        """Leaves what holds in any order: the next block stands before some that were taken in."""
        self.levels.count.zero_()
        self._largest.fill_(-torch.inf)

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


class BlockScan:
    """What one atlas needs of a block of contexts, gathered pass by pass: the map step.

    What the model gives is taken where the model runs; all that is known of the units is read and changed in turn.
    """

    def __init__(
        self,
        units: Units,
        contexts: Contexts,
        start: int,
        config: AtlasConfig,
        bounds: Bounds | None = None,
        maxima: Float[Tensor, "sites widest"] | None = None,
        turn: Turn = at_once,
    ) -> None:
        """
        Args:
            start: the first of the block's config.block_size contexts.
            config: a resolved one.
            bounds: what earlier blocks found, once it is this one's turn. Without it the result is larger, and the same
                after the merge.
            maxima: the units' maximum strengths, if they are known from elsewhere.
            turn: looks at what is taken.
        """
        self.units, self.contexts, self.config, self.start = units, contexts, config, start
        self.stop = min(start + config.block_size, len(contexts.tokens))
        self.sites = {site.number: site for site in units.sites if site.number in config.numbers}
        self._sizes = [self.sites[layer].n_units for layer in config.numbers]
        self.bounds = bounds or Bounds(len(self._sizes), max(self._sizes), config.max_examples)
        text = np.flatnonzero(~contexts.special)
        self._first, self._end = int(text[0]), int(text[-1]) + 1
        self._special = torch.from_numpy(contexts.special[self._first : self._end])
        self._together = sites_together(units, max(self._sizes), config.batch_size * len(contexts.special))
        self._maxima, self._turn, self._waits = maxima, turn, self._together > 1 or turn is not at_once

    def begin(self) -> None:
        """Before the first pass."""
        self._turn(self._begin)

    def take(self, layer: int, vectors: Tensor, values: Values) -> None:
        """Takes what a pass gives at a site."""
        if self._waits:  # some models add to what a layer gave, in its place
            vectors = vectors.clone()
        peaks = values.peaks(self._first, self._end, self._special, self.config.sign)
        self._turn(self._receive, Arrival(layer, vectors, values, *peaks))

    def end_pass(self) -> None:
        """After the last site of a pass over the next config.batch_size contexts."""
        self._turn(self._end_pass)

    def _begin(self) -> None:
        device = self.units.device
        self._text = ~self._special.to(device)
        self._running = self.bounds.maximum.clone().to(device)
        self._kth_largest = self.bounds.kth_largest.to(device)
        self._given = None if self._maxima is None else self._maxima.to(device)
        self._maximum = torch.full_like(self._running, -torch.inf)
        self._found: dict[int, list[Block]] = {layer: [] for layer in self.config.numbers}
        self._levels = LevelScan(self.bounds.levels, self.stop - self.start, device)
        self._found_levels: dict[int, list[Block]] = {layer: [] for layer in self.config.numbers}
        self._waiting: list[Arrival] = []
        self._overflow: list[Site] = []
        self._offset = self.start

    def _receive(self, arrival: Arrival) -> None:
        if self._waiting and self._waiting[0].vectors.shape != arrival.vectors.shape:
            self._look()
        self._waiting.append(arrival)
        if len(self._waiting) >= self._together:
            self._look()

    def _end_pass(self) -> None:
        self._look()
        self._offset += self.config.batch_size

    def block(self) -> Block:
        """After the last pass, in turn."""
        block: Block = {"maximum": self._maximum.cpu()}
        floor = self._floor(slice(None)).cpu()
        for row, layer in enumerate(self.config.numbers):
            size = self._sizes[row]
            joined = _joined(self._found.pop(layer), floor[row, :size])
            joined["pre_mlp"] = self.units.received(layer, joined["pre_mlp"])
            levels = self._levels.joined(row, self._found_levels.pop(layer))
            of_levels = {"count": self._levels.count(row, size), **levels}
            block |= {f"{layer}.{name}": tensor for name, tensor in joined.items()}
            block |= {f"{layer}.level.{name}": tensor for name, tensor in of_levels.items()}
        return block

    @torch.inference_mode()  # as all that has arrived was made
    def _look(self) -> None:
        """At what has arrived since the last look."""
        if not self._waiting:
            return
        arrivals, offset = tuple(self._waiting), self._offset
        self._waiting.clear()
        unknown = self._not_finite(arrivals)
        row = torch.tensor([self.config.numbers.index(each.site) for each in arrivals], device=self.units.device)
        peak = joined_peaks(arrivals)  # (s, b, n)
        n, highest = peak.shape[2], peak.amax(1)
        for number, neurons in unknown.items():
            highest[number, neurons] = torch.nan
        self._maximum[row, :n] = torch.maximum(self._maximum[row, :n], highest)
        self._running[row, :n] = torch.maximum(self._running[row, :n], highest)
        least, kth = self._floor(row)[:, None, :n], self._kth_largest[row, None, :n]
        needed = Chosen(*((peak > 0) & (peak >= least) & (peak > kth)).nonzero(as_tuple=True))
        of_levels = self._levels.take(row, offset - self.start, peak)
        kept = looked_up(arrivals, peak, of_levels, needed, self._text, self._first, self.config.sign)
        for each, (for_levels, examples) in zip(arrivals, kept, strict=True):
            self._found_levels[each.site].append({**for_levels, "context": for_levels["context"] + offset})
            self._found[each.site].append({**examples, "context": examples["context"] + offset})
        if self.units.device.type == "cuda":  # the model's stream uses the memory of what has arrived next
            torch.cuda.current_stream(self.units.device).synchronize()

    def _floor(self, row: Tensor | slice) -> Tensor:
        return self.config.threshold * (self._running if self._given is None else self._given)[row]

    def _not_finite(self, arrivals: Sequence[Arrival]) -> dict[int, Tensor]:
        """The numbers of units without a maximum, of each arrival that has some; they lose their peaks."""
        if bool(torch.stack([each.finite.all() for each in arrivals]).all()):
            return {}
        found = {}
        for number, each in enumerate(arrivals):
            unknown = ~each.finite.all(0)
            if not bool(unknown.any()):
                continue
            self._overflow.append(self.sites[each.site])
            if bool(unknown.all()) or not bool(each.vectors.isfinite().all()):
                raise NbkitError(
                    f"model {self.units.name!r}, {self._overflow[0].title}: activations that are not finite in "
                    f"contexts {self._offset} to {self._offset + len(each.peak) - 1}, and with them all that is "
                    "computed from them; its weights may overflow in "
                    f"{str(self.units.dtype).removeprefix('torch.')}, try dtype='float32'"
                )
            each.peak[:, unknown] = -torch.inf
            found[number] = unknown.nonzero()[:, 0]
        return found


def scan_together(units: Units, scans: Mapping[int, BlockScan]) -> None:
    """Gathers what several atlases need of one block of contexts, with one forward pass for all of them.

    Args:
        units: those of all scans, and maybe of others, their sites counted through: see `nbkit.join_units`.
        scans: of the same contexts, in batches of the same size; by the number that site 0 of each has in `units`.

    Raises:
        NbkitError: if a vector that the units of a site read is not finite, or no unit of it has finite activations.
    """
    sites = {start + layer: (scan, layer) for start, scan in scans.items() for layer in scan.config.numbers}

    def capture(site: int, vectors: Tensor, values: Values) -> None:
        scan, layer = sites[site]
        scan.take(layer, vectors, values)

    first = next(iter(scans.values()))
    for scan in scans.values():
        scan.begin()
    with units.reading(list(sites), capture) as read:
        for start in range(first.start, first.stop, first.config.batch_size):
            read(first.contexts, slice(start, min(start + first.config.batch_size, first.stop)))
            for scan in scans.values():
                scan.end_pass()
    release(first.contexts.tokens)


def scan_block(scan: BlockScan) -> Block:
    """What one atlas alone needs of a block of contexts: see `scan_together`."""
    scan_together(scan.units, {0: scan})
    return scan.block()


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
