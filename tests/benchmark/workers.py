"""Two workers with one core each against one worker with one core, on a cluster of this machine: blocks scanned in a
second."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from distributed import Client

from nbkit.atlas.build import open_job, scan_blocks
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.job import TEXT, AtlasJob
from nbkit.corpora import Contexts, load_contexts, write_contexts
from nbkit.models import LanguageModel
from nbkit.parallel.cluster import Crew
from nbkit.parallel.opened_client import opened_client

ROUNDS = 3
BLOCKS, CONTEXTS = 4, 64
"""Scanned in each turn, and of a block."""


def main(model: LanguageModel) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if cores < 2:
        print("2 workers / 1 worker, efficiency: not measured, this machine has one core")
        return
    contexts = load_contexts("brown", model, limit=BLOCKS * CONTEXTS)
    one, two = [], []
    with opened_client("local:1") as alone, opened_client("local:2") as both:
        assert alone is not None and both is not None
        for _ in range(ROUNDS):
            one.append(scanning(alone, model, contexts))
            two.append(scanning(both, model, contexts))
    print(
        f"scan of {BLOCKS * CONTEXTS} contexts by 1 worker: {sum(one) / ROUNDS:.1f} s, by 2: {sum(two) / ROUNDS:.1f} s"
    )
    by_round = ", ".join(f"{a / b / 2:.3f}" for a, b in zip(one, two, strict=True))
    print(f"2 workers / 1 worker, efficiency by round: {by_round}")
    print(f"2 workers / 1 worker, efficiency: {sum(one) / sum(two) / 2:.3f} (at least 0.90)")


def scanning(client: Client, model: LanguageModel, contexts: Contexts) -> float:
    """Seconds in which a cluster's workers, which have opened the model, scan all blocks into a folder."""
    config = AtlasConfig(block_size=CONTEXTS)
    with tempfile.TemporaryDirectory(prefix="nbkit-") as name:
        scan_blocks(model, contexts, name, slice(0, 0), config, progress=False)  # begins an atlas
        write_contexts(contexts, Path(name) / TEXT)
        job = open_job(model, contexts, name, config)
        with Crew(client, job) as crew:
            begin = time.perf_counter()
            done = list(crew.each(AtlasJob.scan, {f"block {number}": (number,) for number in range(BLOCKS)}))
            seconds = time.perf_counter() - begin
    assert len(done) == BLOCKS
    return seconds
