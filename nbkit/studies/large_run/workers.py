"""A run on many workers, simulated: who scans which block, and who waits for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from nbkit.atlas.build import BLOCKS_A_TASK
from nbkit.method.checks import checked_number, checked_seed, checked_whole
from nbkit.parallel.cluster import most_at_a_time
from nbkit.studies.large_run.cost_model import Costs

PARTS = (
    "start-up",
    "compute",
    "making files",
    "too few blocks",
    "shared storage",
    "check of the blocks",
    "merge",
    "metrics",
    "too few layers",
)
"""What the time of a run is made of, see `simulate`."""


@dataclass(frozen=True)
class Cluster:
    """Workers, and a storage that they share."""

    n_workers: int
    storage: float = 5e9
    """Bytes a second that the shared storage takes or gives, to all workers together."""
    network: float = 1.25e9
    """Bytes a second that one worker can send or receive."""
    mergers: int | None = None
    """Workers that merge: 1 for `nbkit merge` behind an array of jobs; None for all, as with Dask."""
    learning: bool = True
    """Whether workers learn from each other (see `nbkit.atlas.board`)."""

    def __post_init__(self) -> None:
        positive = "give bytes a second, above 0"
        object.__setattr__(self, "n_workers", checked_whole("n_workers", self.n_workers, 1))
        for name in ("storage", "network"):
            object.__setattr__(self, name, checked_number(name, getattr(self, name), positive, 0, np.inf, "()"))
        if self.mergers is not None:
            object.__setattr__(self, "mergers", checked_whole("mergers", self.mergers, 1))

    @property
    def storage_gigabytes(self) -> float:
        """A second."""
        return self.storage / 1e9

    @property
    def network_gigabytes(self) -> float:
        """A second."""
        return self.network / 1e9

    @property
    def one_at_a_time(self) -> float:
        """Bytes a second that a worker alone gets."""
        return min(self.storage, self.network)


@dataclass(frozen=True)
class Run:
    """A simulated run."""

    cluster: Cluster
    parts: Mapping[str, float]
    """Seconds, by the names of `PARTS`; together the wall time."""
    written: float
    """Bytes of all blocks, written to the shared storage."""
    read: float
    """Bytes that check and merge read from there."""
    atlas_at_most: float
    """Bytes of the finished atlas."""
    merge_waited: float
    """Seconds that the shared storage makes the merge longer."""

    @property
    def wall(self) -> float:
        """Seconds from the first start to the finished atlas."""
        return sum(self.parts.values())

    @property
    def hours(self) -> float:
        """The wall time."""
        return self.wall / 3600

    @property
    def terabytes(self) -> float:
        """Of all blocks."""
        return self.written / 1e12

    @property
    def atlas_terabytes(self) -> float:
        """Of the finished atlas, at most."""
        return self.atlas_at_most / 1e12

    @property
    def worker_hours(self) -> float:
        """Workers times wall time, since all are held to the end."""
        return self.cluster.n_workers * self.hours

    @property
    def scanning(self) -> float:
        """Seconds from the first block to the last."""
        waited = self.parts["shared storage"] - self.merge_waited
        return sum(self.parts[name] for name in ("compute", "making files", "too few blocks")) + waited

    @property
    def rate(self) -> float:
        """Bytes a second that flow to the shared storage while blocks are scanned, on average."""
        return self.written / self.scanning

    @property
    def bottleneck(self) -> str:
        """The part that takes most of the wall time."""
        return max(self.parts, key=lambda name: self.parts[name])


def simulate(costs: Costs, cluster: Cluster, seed: int = 0) -> Run:
    """A run from start to atlas.

    Its time has parts, which add up to it:

    - start-up: `start`, and every worker loads all weights through the shared storage.
    - compute: forward passes and capture of all blocks, an equal share for each worker.
    - making files: of all blocks, likewise.
    - too few blocks: what the last worker takes longer than these, of blocks that come whole and take unequal times,
      and of which few are begun before some are done, where workers learn from each other.
    - shared storage: what writing takes longer than with endless bandwidth, and likewise reading for the merge.
    - check of the blocks: every byte is read, by the workers that merge, some blocks a task.
    - merge, metrics: the seconds of all layers, on an equal share for each worker.
    - too few layers: what the last one takes longer than that, since a layer is one worker's.

    Args:
        costs: of one worker.
        cluster: the workers.
        seed: of the unequal times, which are log-normal.
    """
    work, each, n_workers = costs.work, costs.each, cluster.n_workers
    rng = np.random.default_rng(checked_seed(seed))
    sigma = np.sqrt(np.log1p(each.spread**2))
    own = _of_blocks(costs)
    known = _of_blocks(replace(costs, each=replace(each, candidates=replace(each.candidates, ranks=None))))
    learned = known if cluster.learning else None
    filled = np.array([work.size(number) for number in range(work.n_blocks)]) / work.block_size
    slowness = filled * np.exp(rng.normal(-(sigma**2) / 2, sigma, work.n_blocks))
    free = schedule(own, learned, slowness, filled, n_workers, np.inf, np.inf)
    bound = schedule(own, learned, slowness, filled, n_workers, cluster.storage, cluster.network)

    files = bound.written / each.write / n_workers
    loaded = costs.weights_bytes()
    start = each.start + max(loaded * n_workers / cluster.storage, loaded / cluster.network)
    mergers = min(n_workers, cluster.mergers or n_workers)
    checkers = min(mergers, -(-work.n_blocks // BLOCKS_A_TASK))
    n_layers = work.shape.n_layers
    rounds = -(-n_layers // mergers)
    of_layer = bound.written / n_layers
    merge, metrics = costs.merge(of_layer), costs.metrics()
    reading = max(bound.written / cluster.storage, rounds * of_layer / cluster.network)
    merge_waited = max(0.0, reading - rounds * merge)
    parts = {
        "start-up": start,
        "compute": free.busy / n_workers - files,
        "making files": files,
        "too few blocks": free.end - free.busy / n_workers,
        "shared storage": bound.end - free.end + merge_waited,
        "check of the blocks": bound.written / min(checkers * min(each.check, cluster.one_at_a_time), cluster.storage),
        "merge": n_layers * merge / mergers,
        "metrics": n_layers * metrics / mergers,
        "too few layers": (rounds - n_layers / mergers) * (merge + metrics),
    }
    return Run(cluster, parts, bound.written, 2 * bound.written, costs.atlas_bytes_at_most(), merge_waited)


class Blocks(NamedTuple):
    """What a block costs behind none, one, two, … others; the last counts for all behind it."""

    seconds: Float[np.ndarray, " most"]
    """Of the scan, until its file is made."""
    sizes: Float[np.ndarray, " most"]
    """Bytes of its file."""

    def behind(self, others: int) -> tuple[float, float]:
        """Seconds and bytes behind so many others."""
        place = min(others, len(self.seconds) - 1)
        return float(self.seconds[place]), float(self.sizes[place])


@dataclass(frozen=True)
class Schedule:
    """What came of blocks that were dealt out."""

    end: float
    """Seconds until the last is written."""
    busy: float
    """Seconds of scanning, over all workers."""
    written: float
    """Bytes."""


def schedule(
    own: Blocks,
    learned: Blocks | None,
    slowness: Float[np.ndarray, " n_blocks"],
    filled: Float[np.ndarray, " n_blocks"],
    n_workers: int,
    storage: float,
    network: float,
) -> Schedule:
    """Every worker that is free takes the next block, scans it, and writes it through a storage that takes one file
    after another, in the order in which they come.

    Workers that learn from each other begin as `Crew.each` lets them, and know what was written when they begin a
    block, which costs them the less of what their own blocks and all of these leave.

    Args:
        own: of a block behind others of the same worker.
        learned: behind others of any worker, whose ranks aren't told; None if workers don't learn.
        slowness: of each block, which multiplies its seconds.
        filled: of each block, which multiplies its bytes.
        n_workers: how many.
        storage: bytes a second of all together.
        network: bytes a second of one worker.
    """
    # (time, whether a block is to be written, worker): who is free comes before who wants to write
    events: list[tuple[float, bool, int]] = []
    idle, mine, waiting = list(range(n_workers)), [0] * n_workers, [0.0] * n_workers
    begun = done = 0
    time = storage_free = end = busy = written = 0.0
    while True:
        most = n_workers if learned is None else most_at_a_time(done, n_workers)
        while idle and begun < len(slowness) and begun - done < most:
            worker = heappop(idle)
            costs = [own.behind(mine[worker]), *([] if learned is None else [learned.behind(done)])]
            scanning, waiting[worker] = map(min, zip(*costs, strict=True))
            scanning, waiting[worker] = scanning * float(slowness[begun]), waiting[worker] * float(filled[begun])
            busy += scanning
            mine[worker] += 1
            begun += 1
            heappush(events, (time + scanning, True, worker))
        if not events:
            return Schedule(end, busy, written)
        time, writes, worker = heappop(events)
        if writes:
            storage_free = max(time, storage_free) + waiting[worker] / storage
            written += waiting[worker]
            heappush(events, (max(storage_free, time + waiting[worker] / network), False, worker))
        else:
            end = max(end, time)
            done += 1
            heappush(idle, worker)


def _of_blocks(costs: Costs) -> Blocks:
    """Those of one worker."""
    size, n_blocks = costs.work.block_size, costs.work.n_blocks
    seen = [number * size for number in range(n_blocks)]
    scans = np.array([costs.scan(size, each) for each in seen])
    return Blocks(scans, np.array([costs.block_bytes(size, each) for each in seen]))
