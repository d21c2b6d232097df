"""Round numbers for the cost model of large runs, and what a sample would have measured with them."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from nbkit.studies.large_run.coefficients import Coefficients, Kept
from nbkit.studies.large_run.cost_model import Costs, Work
from nbkit.studies.large_run.sample import Sample
from nbkit.studies.large_run.shape import Shape
from nbkit.studies.large_run.worker_processes import OneAndTwo

SHAPE = Shape("small", n_layers=4, d_model=10, d_mlp=100, n_parameters=1_000, d_vocabulary=50)
NOTHING = Kept(1e-300, 1.0, 0.5)
"""Of which no record is kept."""
EACH = Coefficients(
    name="a worker",
    flops=1e6,
    look=1e-5,
    keep=1e-3,
    candidates=Kept(2.0, 10.0, 0.3, ranks=100),
    levels=Kept(3.0, 4.0, -0.4),
    candidate_bytes=100.0,
    level_bytes=90.0,
    neuron_bytes=50.0,
    number_bytes=2,
    positions=0.5,
    write=1e6,
    check=2e6,
    merge=5e5,
    effect_flops=1e5,
    metric=1e-4,
    start=3.0,
    spread=0.0,
)
WORK = Work(SHAPE, n_contexts=1_000, length=20, block_size=16)


def sample_of(each: Coefficients = EACH, n_blocks: int = 4, size: int = 16, load: float = 0.0) -> Sample:
    """What is measured on a worker with these coefficients, without noise."""
    costs = Costs(replace(WORK, block_size=size), each)
    rows = []
    for seen in range(0, n_blocks * size, size):
        candidates, levels = costs.records(size, seen)
        forward, n_bytes = costs.forward(size), costs.block_bytes(size, seen)
        seconds = {"bare": forward, "scan": forward + costs.capture(size, seen), "write": n_bytes / each.write}
        counts = {"candidates": candidates, "levels": levels, "vectors": costs.vectors(size, seen)}
        rows.append({"seen": seen, **seconds, "bytes": n_bytes, **counts})
    blocks = pd.DataFrame(rows)
    behind = WORK.n_contexts - size
    candidates, levels = costs.records(size, behind)
    written = float(blocks["bytes"].sum())
    alone = costs.scan(size, 0)
    return Sample(
        shape=SHAPE,
        n_contexts=WORK.n_contexts,
        length=WORK.length,
        block_size=size,
        max_examples=100,
        blocks=blocks,
        last={"candidates": candidates, "levels": levels, "vectors": costs.vectors(size, behind)},
        bytes_of={
            "candidate": each.candidate_bytes,
            "level": each.level_bytes,
            "neuron": each.neuron_bytes,
            "number": float(each.number_bytes),
        },
        check=written / each.check,
        merge=written / 2 / each.merge,
        merged_bytes=written / 2,
        effects=2 * SHAPE.d_mlp * SHAPE.d_model * SHAPE.d_vocabulary / each.effect_flops,
        metrics=each.metric * SHAPE.d_model,
        workers=OneAndTwo(each.start, 2 * alone, 2.5 * alone),
        threads=1,
        cores=2,
        load=load,
    )
