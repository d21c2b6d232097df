"""Independent computations in processes of one thread each."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from joblib import Parallel, delayed, parallel_config
from tqdm.auto import tqdm

from nbkit.parallel.children import end_with
from nbkit.parallel.cluster import current_client, done
from nbkit.parallel.threads import one_thread

FEW_NEURONS = 10_000
"""Neurons up to which one process is faster, since starting others takes seconds."""


def in_processes(
    function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], n_jobs: int, desc: str, unit: str, progress: bool
) -> list[Any]:
    """What a function gives for each task, in order.

    Args:
        function: one that another process finds by its name.
        tasks: its arguments.
        n_jobs: processes; -1 for one a core. Within `on_cluster` they are the cluster's workers, however many.
        desc, unit: of the progress bar.
        progress: whether to show it.
    """
    if (client := current_client()) is not None and n_jobs != 1:
        named = {f"{desc}, {unit} {number}": task for number, task in enumerate(tasks)}
        results = dict(
            tqdm(done(client, function, named), total=len(tasks), desc=desc, unit=unit, disable=not progress)
        )
        return [results[name] for name in named]
    with (
        warnings.catch_warnings(),
        parallel_config("loky", inner_max_num_threads=1),  # small products: a second thread waits more than it works
        Parallel(n_jobs, return_as="generator") as pool,
    ):
        # joblib replaces a process whose memory has grown, as by the images that it keeps; no job is lost
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
        in_order = pool(delayed(_run)(os.getpid(), function, task) for task in tasks)
        return list(tqdm(in_order, total=len(tasks), desc=desc, unit=unit, disable=not progress))


def gather(
    function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], n_neurons: int, desc: str, unit: str, progress: bool
) -> list[Any]:
    """`in_processes`, one a core where that is worth it: where all tasks together are about many neurons."""
    with one_thread():
        return in_processes(function, tasks, -1 if n_neurons > FEW_NEURONS else 1, desc, unit, progress)


def _run(parent: int, function: Callable[..., Any], task: tuple[Any, ...]) -> Any:
    if os.getpid() != parent:
        end_with(parent)
    return function(*task)
