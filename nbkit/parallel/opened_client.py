"""The cluster that a command line asks for: one at an address, processes of this machine, or its GPUs."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from nbkit.errors import NbkitError
from nbkit.parallel.cluster import WAIT, check_client

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local:"
HOST = "127.0.0.1"


@contextmanager
def opened_client(scheduler: str | None = None, devices: Sequence[int] | None = None) -> Iterator[Client | None]:
    """A client of a cluster, which ends with the `with` block if it was made for it; None if none is asked for.

    Args:
        scheduler: the address of one, such as tcp://host:8786; or local:4 for four processes of one thread each.
        devices: numbers of GPUs, for a process each.

    Raises:
        NbkitError: both are given, Dask isn't installed, nothing answers at the address, or it has no workers.
    """
    if scheduler is None and devices is None:
        yield None
        return
    if scheduler is not None and devices is not None:
        raise NbkitError(
            "scheduler and devices were given: give one of them; a scheduler's workers have their own devices"
        )
    try:
        from distributed import Client
    except ImportError as error:
        raise NbkitError("a cluster needs Dask, which isn't installed: pip install 'nbkit[cluster]'") from error
    if scheduler is not None and not scheduler.startswith(LOCAL):
        try:
            asyncio.run(_try(scheduler))
            client = Client(scheduler, timeout=WAIT, set_as_default=False)
        except Exception as error:  # an address of a protocol that isn't there, for instance
            raise NbkitError(
                f"no Dask scheduler answers at {scheduler!r}: start one with `dask scheduler`, or give local:4 for "
                "four processes of this machine"
            ) from error
        with client:
            check_client(client)
            yield client
        return
    environments: list[dict[str, str]]
    if devices is not None:
        environments = [{"CUDA_VISIBLE_DEVICES": name} for name in _devices(devices)]
    else:
        number = str(scheduler).removeprefix(LOCAL)
        if not number.isdecimal() or not 1 <= int(number) <= 999:
            raise NbkitError(f"scheduler is {scheduler!r}: give an address, or local:4 for four processes")
        environments = [{} for _ in range(int(number))]
    with _local(environments) as client:
        check_client(client)
        yield client


async def _try(address: str) -> None:
    """Raises an error of any kind unless something answers at an address. A client that found nothing would wait for
    its end whenever Python collects it, which may be in the middle of the next one's beginning."""
    from distributed.comm import connect

    (await connect(address, timeout=WAIT)).abort()


def _devices(numbers: Sequence[int]) -> list[str]:
    """What CUDA calls GPUs, of those that this process sees, as a job of a cluster sees those it was given.

    Raises:
        NbkitError: there are not so many.
    """
    count = torch.cuda.device_count()
    for number in numbers:
        if not 0 <= number < count:
            raise NbkitError(f"there is no GPU {number} here: {count} are seen, counted from 0")
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = [name.strip() for name in seen.split(",")] if seen else [str(number) for number in range(count)]
    return [names[number] for number in dict.fromkeys(numbers)]


@contextmanager
def _local(environments: Sequence[dict[str, str]]) -> Iterator[Client]:
    """Processes of this machine, one for each set of environment variables."""
    from distributed import Client, Nanny, Scheduler, SpecCluster

    options = {
        "nthreads": 1,
        "memory_limit": None,
        "host": "127.0.0.1",
        "dashboard": False,
        "silence_logs": logging.ERROR,
    }
    workers = {
        number: {"cls": Nanny, "options": {**options, "env": variables}}
        for number, variables in enumerate(environments)
    }
    scheduler = {"cls": Scheduler, "options": {"host": HOST, "dashboard_address": ":0"}}
    with (
        SpecCluster(workers=workers, scheduler=scheduler, silence_logs=logging.ERROR) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client
