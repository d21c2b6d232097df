"""What the page on large runs tells: the sample beside its prediction, plans for two models, and what limits them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_whole
from nbkit.studies.large_run.coefficients import Coefficients
from nbkit.studies.large_run.cost_model import Costs, Work
from nbkit.studies.large_run.sample import Sample
from nbkit.studies.large_run.workers import Cluster, Run, simulate
from nbkit.studies.shared.table import BookTable

TERA, GIGA, MEGA, HOUR = 1e12, 1e9, 1e6, 3600.0


@dataclass(frozen=True)
class Plan:
    """Runs of one work by growing numbers of workers of a kind."""

    work: Work
    each: Coefficients
    runs: tuple[Run, ...]
    merged_alone: Run
    """The last one with a merge in one process,"""
    apart: Run
    """and with workers that learn nothing from each other."""

    @property
    def fastest(self) -> Run:
        """That of the shortest wall time, with the fewest workers."""
        return min(self.runs, key=lambda run: run.wall)

    @property
    def last(self) -> Run:
        """That of the most workers."""
        return self.runs[-1]

    @property
    def slows(self) -> bool:
        """Whether the most workers take longer than fewer."""
        return self.last.wall > self.fastest.wall

    @property
    def writes_more(self) -> float:
        """Bytes of blocks of the most workers by those of the fewest,"""
        return self.last.written / self.runs[0].written

    @property
    def writes_more_apart(self) -> float:
        """and if they learn nothing from each other."""
        return self.apart.written / self.runs[0].written


def plan(
    work: Work,
    each: Coefficients,
    workers: Sequence[int],
    storage: float = 5e9,
    network: float = 1.25e9,
    seed: int = 0,
) -> Plan:
    """A work with each number of workers.

    Args:
        workers: how many, ascending.
        storage, network: see `Cluster`.
        seed: of the unequal times of blocks.

    Raises:
        NbkitError: the numbers of workers are none, or don't ascend.
    """
    if not workers or list(workers) != sorted(set(workers)):
        raise NbkitError(f"workers is {list(workers)}: give numbers of workers in ascending order")
    costs, most = Costs(work, each), Cluster(workers[-1], storage, network)
    runs = tuple(simulate(costs, Cluster(n, storage, network), seed) for n in workers)
    merged_alone, apart = (simulate(costs, replace(most, **how), seed) for how in ({"mergers": 1}, {"learning": False}))
    return Plan(work, each, runs, merged_alone, apart)


def plan_table(plans: Sequence[Plan], name: str) -> BookTable:
    """A row for each number of workers, a group of rows for each kind of worker.

    Args:
        name: of the table's data.
    """
    runs = [(plan.each.name, run) for plan in plans for run in plan.runs]
    cells = pd.DataFrame(
        {
            "wall time, h": [run.hours for _, run in runs],
            "worker hours": [run.worker_hours for _, run in runs],
            "blocks written, GB": [run.written / GIGA for _, run in runs],
            "read again, GB": [run.read / GIGA for _, run in runs],
            "to the storage, GB/s": [run.rate / GIGA for _, run in runs],
            "bottleneck": [run.bottleneck for _, run in runs],
        },
        index=pd.MultiIndex.from_tuples([(kind, f"{run.cluster.n_workers:,}") for kind, run in runs]),
    )
    return BookTable(name, cells, {"worker hours": 1, "blocks written, GB": 1, "read again, GB": 1})


@dataclass(frozen=True)
class JobArray:
    """An array of jobs that share the blocks of a work."""

    n_jobs: int
    each: int
    """Blocks of a job; the last may have fewer."""

    @property
    def last(self) -> int:
        """Number of the last job, counted from 0."""
        return self.n_jobs - 1


def job_array(work: Work, n_jobs: int) -> JobArray:
    """At most so many jobs, each of which has a block at least.

    Raises:
        NbkitError: the number is below 1.
    """
    each = -(-work.n_blocks // checked_whole("n_jobs", n_jobs, 1))
    return JobArray(-(-work.n_blocks // each), each)


def coefficient_table(kinds: Sequence[Coefficients]) -> BookTable:
    """The coefficients of each kind of worker, a column each."""
    rows = {
        "forward pass, TFLOP/s": [each.flops / TERA for each in kinds],
        "look at an activation, ns": [each.look * GIGA for each in kinds],
        "keep a record, µs": [each.keep * MEGA for each in kinds],
        "make a block's file, MB/s": [each.write / MEGA for each in kinds],
        "check blocks, MB/s": [each.check / MEGA for each in kinds],
        "merge, MB/s": [each.merge / MEGA for each in kinds],
        "promoted tokens, TFLOP/s": [each.effect_flops / TERA for each in kinds],
        "metrics, µs a neuron and coordinate": [each.metric * MEGA for each in kinds],
        "start of a worker, s": [each.start for each in kinds],
    }
    cells = pd.DataFrame.from_dict(rows, orient="index", columns=[each.name for each in kinds])
    digits = dict.fromkeys(("forward pass, TFLOP/s", "look at an activation, ns", "promoted tokens, TFLOP/s"), 3)
    return BookTable("coefficients", cells, digits)


@dataclass(frozen=True, eq=False)
class Checked:
    """A sample beside what its own coefficients predict of it."""

    table: BookTable
    scan_by_bare: float
    """Tokens a second of the scan, without files, by those of the bare forward pass."""
    efficiency: float
    """Of two worker processes against one."""
    worst_bytes: float
    """Largest miss of a block's bytes among those that are not fitted, as a share; NaN if there are none."""
    n_fitted: int
    """Blocks of the sample that what a neuron keeps is fitted to."""
    busy: bool
    """Whether as many processes as there are cores were running before, so that the times are of a busy machine."""


def checked(sample: Sample, each: Coefficients) -> Checked:
    """Predict the sample, block by block and as a whole, and one worker and two.

    Args:
        sample: what was measured.
        each: the coefficients fitted to it.
    """
    blocks, size, n_fitted = sample.blocks, sample.block_size, 2
    costs = Costs(Work(sample.shape, sample.n_contexts, sample.length, size, sample.max_examples), each)
    seen = [int(n) for n in blocks["seen"]]
    predicted_bytes = np.array([costs.block_bytes(size, n) for n in seen])
    measured_bytes = blocks["bytes"].to_numpy(dtype=float)
    alone, fresh = sample.workers.one / sample.workers.rounds, costs.scan(size, 0)
    rows = {
        f"scan of {len(blocks)} blocks, s": (
            sum(costs.scan(size, n) for n in seen),
            float((blocks["scan"] + blocks["write"]).sum()),
        ),
        **{
            f"file of block {number}, MB": (predicted / MEGA, measured / MEGA)
            for number, (predicted, measured) in enumerate(zip(predicted_bytes, measured_bytes, strict=True))
        },
        "a block by one worker, s": (fresh, alone),
        "two blocks by two workers, s": (fresh, sample.workers.two / sample.workers.rounds),
    }
    cells = pd.DataFrame.from_dict(rows, orient="index", columns=["predicted", "measured"])
    cells["predicted / measured"] = cells["predicted"] / cells["measured"]
    misses = np.abs(predicted_bytes / measured_bytes - 1)[n_fitted:]
    return Checked(
        table=BookTable("sample", cells),
        scan_by_bare=float(blocks["bare"].sum() / blocks["scan"].sum()),
        efficiency=sample.workers.efficiency,
        worst_bytes=float(misses.max(initial=0.0)) if len(misses) else np.nan,
        n_fitted=n_fitted,
        busy=sample.load >= sample.cores,
    )
