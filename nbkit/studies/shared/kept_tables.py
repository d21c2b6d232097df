"""Tables of experiments, kept in the cache folder under a name made of what was asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from filelock import FileLock

from nbkit.assets import cache_folder
from nbkit.errors import NbkitError
from nbkit.files import FILE_SCHEMA, read_table, write_table
from nbkit.mnist.mlp import MLP_RECIPE, mlp_for
from nbkit.parallel.pool import in_processes
from nbkit.sae.config import SaeConfig

Configs = Sequence[SaeConfig]


def kept_table(name: str, request: Mapping[str, Any], make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """The table of an experiment: read if it was made before, else made and kept, once for all processes.

    Args:
        name: of the experiment.
        request: all that the numbers depend on besides the MLP's recipe, as JSON can write it; the code's own recipe
            number among it.
        make: runs the experiment.

    Raises:
        NbkitError: the cache folder can't be written.
    """
    path = _place(name, request)
    folder = path.parent
    if path.is_file():  # needs no lock, nor a disk to write one on
        return read_table(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = FileLock(path.with_suffix(".lock")).acquire()  # whoever asks for it meanwhile waits
    except OSError as error:
        raise NbkitError(f"can't write to {folder} ({error.strerror}): set NBKIT_CACHE to another folder") from error
    with held:
        if not path.is_file():
            write_table(make(), path)
    return read_table(path)


def kept_tables(
    name: str,
    recipe: int,
    groups: Sequence[Configs],
    make: Callable[[Configs], pd.DataFrame],
    n_jobs: int = -1,
    progress: bool = True,
) -> list[pd.DataFrame]:
    """The kept tables of groups of autoencoders, each of one seed; those not made before are made in processes.

    Args:
        name: of the experiment.
        recipe: the code's recipe number.
        groups: the configs of each table.
        make: makes the table of a group; a function that another process finds by its name.
        n_jobs: processes, of one thread each; -1 for one a core.
        progress: whether to show a bar.

    Raises:
        NbkitError: MNIST can't be fetched; the cache folder can't be written.
    """
    missing = [group for group in groups if not _place(name, _request(recipe, group)).is_file()]
    if missing:  # starting processes takes seconds
        seeds = sorted({group[0].seed for group in missing})
        # MLPs first, or all processes would wait for that of the first seed
        in_processes(mlp_for, [(seed,) for seed in seeds], n_jobs, "MLPs", "MLP", progress=False)
        in_processes(_of_group, [(name, recipe, group, make) for group in missing], n_jobs, name, "group", progress)
    return [_of_group(name, recipe, group, make) for group in groups]


def _of_group(name: str, recipe: int, group: Configs, make: Callable[[Configs], pd.DataFrame]) -> pd.DataFrame:
    return kept_table(name, _request(recipe, group), lambda: make(group))


def _request(recipe: int, group: Configs) -> dict[str, Any]:
    return {"recipe": recipe, "configs": [asdict(config) for config in group]}


def _place(name: str, request: Mapping[str, Any]) -> Path:
    """The file of a table."""
    made_with = {"schema": FILE_SCHEMA, "torch": torch.__version__, "mlp": MLP_RECIPE}
    identity = json.dumps({**made_with, **request}, sort_keys=True, default=str)
    return cache_folder() / "results" / f"{name}-{hashlib.sha256(identity.encode()).hexdigest()[:10]}.parquet"
