"""Independent computations in processes of one thread each."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from joblib import Parallel, parallel_config


@contextmanager
def processes(n_jobs: int) -> Iterator[Parallel]:
    """A pool that yields results in order as they are ready.

    Args:
        n_jobs: processes; -1 for one a core.
    """
    with (
        warnings.catch_warnings(),
        parallel_config("loky", inner_max_num_threads=1),  # small products: a second thread waits more than it works
        Parallel(n_jobs, return_as="generator") as pool,
    ):
        # joblib replaces a process whose memory has grown, as by the images that it keeps; no job is lost
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
        yield pool
