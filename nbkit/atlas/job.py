"""An atlas that is being built, in parts that any process can do: a scan of each block, a merge of each layer.

Every process that has the same units, contexts and config opens the same job, does parts of it in whatever order, and
leaves them at a place that the others see. Their manifests are compared with the one that lies there: a process with
another model file, corpus or version of a library is refused.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property, reduce
from importlib.metadata import version
from itertools import accumulate
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm.auto import tqdm

from nbkit.atlas.arrivals import may_wait, sites_together
from nbkit.atlas.board import read_board
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.levels import merge_levels
from nbkit.atlas.manifest import ATLAS_SCHEMA, Manifest, layer_file, read_manifest
from nbkit.atlas.merge import merge_layer
from nbkit.atlas.places import Part, Place
from nbkit.atlas.scan import BlockScan, Bounds, scan_together
from nbkit.corpora import CONTEXT_FILES, Contexts, open_contexts
from nbkit.errors import NbkitError
from nbkit.parallel.turns import Turn, at_once, in_turn

if TYPE_CHECKING:
    from nbkit.models.units import Units

SCAN_LIBRARIES = ("nbkit", "numpy", "scipy", "torch", "transformers")
SCAN = "scan"
"""Folder of what is there until the atlas is finished: the blocks, the contexts and"""
IDENTITY = "identity.json"
"""the manifest, which says what they are of."""
TEXT = f"{SCAN}/contexts"
BOARD = f"{SCAN}/board.safetensors"
"""What processes that scan at the same time have found."""


@dataclass(eq=False)
class AtlasJob:
    """All that a process needs to do parts of an atlas."""

    units: Units
    contexts: Contexts
    config: AtlasConfig
    """A resolved one."""
    maxima: Float[Tensor, "sites widest"] | None
    """The maximum strengths of the units of all sites, if they are known from elsewhere."""
    place: Place
    """Where the parts are."""
    _next: int = field(default=0, repr=False)
    """The block behind those that were taken in last."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        """To travel to another process: the contexts stay where the parts are."""
        return _opened, (self.units, self.config, self.maxima, self.place)

    @property
    def n_blocks(self) -> int:
        """Blocks of contexts."""
        return -(-len(self.contexts.tokens) // self.config.block_size)

    def size(self, number: int) -> int:
        """Contexts of a block."""
        return min(self.config.block_size, len(self.contexts.tokens) - number * self.config.block_size)

    def scanned(self) -> set[int]:
        """Numbers of the blocks that are done."""
        there = self.place.names(SCAN)
        return {number for number in range(self.n_blocks) if _block_file(number) in there}

    def scan(self, number: int) -> int:
        """Scans a block that isn't there, and leaves it at the place; gives its number of contexts.

        What this process found in blocks before makes the result smaller (see `nbkit.atlas.scan`); blocks in ascending
        order are the quickest.
        """
        with _in_turn([self], self.units) as turns:
            _scan_of_each([self], number, self.units, *turns)
        return self.size(number)

    def scan_among_others(self, number: int) -> int:
        """`scan` as one of several processes, which learn from each other what makes results smaller (see
        `nbkit.atlas.board`).

        Raises:
            NbkitError: the board is damaged.
        """
        bounds = self._bounds_before(number)
        if (board := read_board(self.place, BOARD, self._identity)) is not None:
            bounds.learn(board, number)
        size = self.scan(number)
        known, board = bounds.board(self._next), read_board(self.place, BOARD, self._identity)
        (known if board is None else known.joined(board)).write(self.place, BOARD, self._identity)
        return size

    def take_in(self, number: int) -> None:
        """Reads what a block that is done says about those behind it.

        Raises:
            NbkitError: it is damaged.
        """
        block = self._block(number)
        block.verify(self._identity)  # a wrong bound would spoil all blocks behind it
        self._absorb(block, number)

    def has(self, number: int) -> bool:
        """Whether a block is done."""
        return self.place.has(f"{SCAN}/{_block_file(number)}")

    def block_scan(self, number: int, turn: Turn) -> BlockScan:
        """The scan of a block that isn't there."""
        turn(self._bounds_before, number)
        start = number * self.config.block_size
        return BlockScan(self.units, self.contexts, start, self.config, self.known, self._given, turn)

    def leave(self, scan: BlockScan, number: int, write: Turn) -> None:
        """Leaves a block that was scanned at the place."""
        block = scan.block()
        write(self.place.write, block, f"{SCAN}/{_block_file(number)}", self._identity)
        self._absorb(block, number)

    def _absorb(self, block: Mapping[str, Tensor], number: int) -> None:
        self._bounds_before(number).absorb(block, self.config.numbers)
        self._next = number + 1

    def _bounds_before(self, number: int) -> Bounds:
        """What is known and holds for a block and those behind it."""
        if number < self._next:
            self.known.forget_counts()
        self._next = number
        return self.known

    def maximum(self, first: int = 0, stop: int | None = None) -> Float[Tensor, "sites widest"]:
        """The units' maximum strengths over the blocks from `first` to before `stop`, which are verified; NaN of a unit
        with an activation that is not finite.

        Raises:
            NbkitError: a block is damaged.
        """
        blocks = self._blocks()[first:stop]
        for block in blocks:
            block.verify(self._identity)
        return reduce(torch.maximum, (block["maximum"] for block in blocks))

    def reached(self, maximum: Float[Tensor, "sites widest"]) -> Float[Tensor, "sites widest"]:
        """The maximum strengths that examples are measured by: those over all blocks, or those given."""
        return maximum if self._given is None else self._given[:, : maximum.shape[1]].where(~maximum.isnan(), torch.nan)

    def merge(self, layer: int, maximum: Float[Tensor, " widest"]) -> Int[np.ndarray, " n"]:
        """Writes the file of a layer, once all blocks are there.

        Args:
            maximum: of its units, see `reached`.

        Returns:
            The ids of the tokens that its units promote or suppress.
        """
        row, blocks, weights = self.config.numbers.index(layer), self._blocks(), self.units.weights(layer)
        of_site = maximum[: len(weights.w_in)].contiguous()
        merged = merge_layer(blocks, layer, of_site, self.config) | {"maximum": of_site}
        merged |= merge_levels(blocks, layer, row)
        merged |= {name: tensor for name, tensor in vars(weights).items() if tensor is not None}
        effects = self.units.logit_effects()(layer)
        self.place.write(merged | effects, layer_file(layer))
        if not effects:
            return np.empty(0, dtype=np.int32)
        return np.unique(torch.cat([effects["promoted_ids"], effects["suppressed_ids"]]))

    def manifest(self) -> Manifest:
        """What the atlas is made from, as this process has it."""
        units, contexts, config = self.units, self.contexts, self.config
        before, after = (tuple(zip(ids, units.token_names(ids), strict=True)) for ids in contexts.around)
        return Manifest(
            schema=ATLAS_SCHEMA,
            model=units.name,
            model_sha256=units.fingerprint,
            corpus=contexts.name,
            contexts_sha256=contexts.sha256,
            n_contexts=len(contexts.tokens),
            length=contexts.tokens.shape[1],
            sites=tuple(site for site in units.sites if site.number in config.numbers),
            n_sites=len(units.sites),
            threshold=config.threshold,
            max_examples=config.max_examples,
            weights=config.weights,
            embedding=config.embedding,
            batch_size=config.batch_size,
            block_size=config.block_size,
            seed=config.seed,
            maxima_sha256=None if self.maxima is None else hashlib.sha256(self.maxima.numpy().tobytes()).hexdigest(),
            dtype=str(units.dtype).removeprefix("torch."),
            device=units.device.type,
            versions={name: version(name) for name in SCAN_LIBRARIES},
            added_before=before,
            added_after=after,
            checkpoint=units.checkpoint,
            sign=config.sign,
            inputs=units.kind,
        )

    @cached_property
    def _identity(self) -> str:
        """sha256 of the manifest."""
        return hashlib.sha256(json.dumps(asdict(self.manifest()), sort_keys=True).encode()).hexdigest()

    @property
    def _given(self) -> Float[Tensor, "sites widest"] | None:
        return None if self.maxima is None else self.maxima[list(self.config.numbers)]

    @cached_property
    def known(self) -> Bounds:
        """What the blocks before `_next` say that this process scanned or read, and the maximum over others."""
        layers, config = self.config.numbers, self.config
        widest = max(site.n_units for site in self.units.sites if site.number in layers)
        kept = min(config.max_examples, len(self.contexts.tokens))
        return Bounds(len(layers), widest, kept, self.units.device)

    def _block(self, number: int) -> Part:
        return self.place.part(f"{SCAN}/{_block_file(number)}")

    def _blocks(self) -> Sequence[Part]:
        return [self._block(number) for number in range(self.n_blocks)]


def scan_missing(jobs: Sequence[AtlasJob], units: Units, progress: bool) -> None:
    """Scans every block that a job lacks, with one forward pass for all that lack it.

    Args:
        jobs: of the same contexts, with batches and blocks of the same size.
        units: those of all jobs, their sites counted through: see `scan_together`.
    """
    first, there = jobs[0], [job.scanned() for job in jobs]
    missing = {number for number in range(first.n_blocks) if any(number not in has for has in there)}
    with scan_bar(first, missing, progress) as bar, _in_turn(jobs, units) as (turn, write):
        for number in range(max(missing, default=-1) + 1):
            for job, has in zip(jobs, there, strict=True):
                if number in has:
                    turn(job.take_in, number)
            if number in missing:
                _scan_of_each(jobs, number, units, turn, write)
                turn(bar.update, first.size(number))


def scan_bar(job: AtlasJob, missing: Collection[int], progress: bool) -> tqdm[NoReturn]:
    """The bar of a scan of some blocks, behind what was read and left out of the corpus."""
    if progress and missing and job.contexts.summary is not None:
        tqdm.write(str(job.contexts.summary), file=sys.stderr)
    total = len(job.contexts.tokens)
    # What is on disk counts as `initial`: it must not raise the speed that the time left is reckoned from.
    done = total - sum(map(job.size, missing))
    return tqdm(total=total, initial=done, desc="scan", unit="context", smoothing=0.1, disable=not progress)


@contextmanager
def _in_turn(jobs: Sequence[AtlasJob], units: Units) -> Iterator[tuple[Turn, Turn]]:
    """Looks at blocks and takes them in, and writes them: on a GPU while the model goes on."""
    if not may_wait(units):
        yield at_once, at_once
        return
    for job in jobs:
        _ = job.known  # made once, before another thread asks for it
    widest, contexts = max(site.n_units for site in units.sites), jobs[0].contexts
    together = sites_together(units, widest, jobs[0].config.batch_size * contexts.tokens.shape[1])
    with in_turn(torch.device("cpu"), len(jobs)) as write, in_turn(units.device, together) as turn:
        yield turn, write


def _scan_of_each(jobs: Sequence[AtlasJob], number: int, units: Units, turn: Turn, write: Turn) -> None:
    """`AtlasJob.scan` of several jobs, see `scan_missing`."""
    starts = accumulate((len(job.units.sites) for job in jobs), initial=0)
    # A job that was killed behind the others has left them its block; another process may have done so meanwhile.
    lacking = {start: job for start, job in zip(starts, jobs, strict=False) if not job.has(number)}
    if lacking:
        scans = {start: job.block_scan(number, turn) for start, job in lacking.items()}
        scan_together(units, scans)
        for start, job in lacking.items():
            turn(job.leave, scans[start], number, write)


def _opened(units: Units, config: AtlasConfig, maxima: Tensor | None, place: Place) -> AtlasJob:
    """A job in another process than the one that began it.

    Raises:
        NbkitError: its place is not the same one, or the process has another model, corpus or library.
    """
    if not place.has(f"{SCAN}/{IDENTITY}"):
        raise NbkitError(
            f"{place} holds no atlas that was begun: give a folder that all workers see under this name, or an "
            "address such as s3://bucket/folder"
        )
    job = AtlasJob(units, open_contexts(place.local(TEXT, *CONTEXT_FILES)), config, maxima, place)
    found, _ = read_manifest(place.local(SCAN, IDENTITY) / IDENTITY)
    if differences := job.manifest().differences(found):
        raise NbkitError(f"it has another {', '.join(differences)} than the process that began the atlas in {place}")
    return job


def _block_file(number: int) -> str:
    return f"block-{number:06d}.safetensors"
