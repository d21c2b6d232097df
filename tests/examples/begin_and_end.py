"""A task that says when it was done; in a file of its own, so that a worker that does it imports nothing else."""

from __future__ import annotations

import time


def begin_and_end(seconds: float) -> tuple[float, float]:
    begin = time.time()
    time.sleep(seconds)
    return begin, time.time()
