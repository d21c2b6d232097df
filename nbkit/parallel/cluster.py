"""Computations on the workers of a Dask cluster: other processes here, or on other machines."""

from __future__ import annotations

import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from itertools import islice
from typing import TYPE_CHECKING, Any

from nbkit.errors import NbkitError

if TYPE_CHECKING:
    from distributed import Client, Future, as_completed

TRIES = 3
"""How often a task that fails is tried."""
KEPT = "what is finished is kept, and the same call goes on from there"
WAIT = 30.0
"""Seconds in which a scheduler answers, and its first worker is there; without a result, workers are counted then."""
POLL = 0.05
"""Seconds between two looks at what is done."""
NO_WORKERS = f"no worker is left: this waits for one, such as by `dask worker ADDRESS`, or until it is stopped; {KEPT}"

_current: ContextVar[Client | None] = ContextVar("client", default=None)
_held: dict[str, Any] = {}
"""What this process, a worker's, holds open by name: bytes of what was sent, or the thing itself."""
_lock = threading.Lock()
"""Workers may have several threads, and a model computes for one at a time."""


@contextmanager
def on_cluster(client: Client) -> Iterator[None]:
    """Lets what nbkit computes in several processes run on a cluster's workers, in a `with` block: tables of metrics
    and phrases, for instance, of atlases in a folder that the workers see under the same path.

    Args:
        client: a `dask.distributed.Client`.

    Raises:
        NbkitError: it is none, or has no scheduler or no workers.
    """
    check_client(client)
    token = _current.set(client)
    try:
        yield
    finally:
        _current.reset(token)


def current_client() -> Client | None:
    """The client of the `with` block around."""
    return _current.get()


def check_client(client: object) -> None:
    """Waits for the first worker.

    Raises:
        NbkitError: this is no client of Dask's, its scheduler doesn't answer, or there are no workers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise NbkitError("a client is one of Dask's, which isn't installed: pip install 'nbkit[cluster]'") from error
    if not isinstance(client, Client):
        raise NbkitError(f"client is of type {type(client).__name__}: give a dask.distributed.Client")
    if client.asynchronous:
        raise NbkitError("client is asynchronous: give a Client that was made without asynchronous=True")
    try:
        client.wait_for_workers(1, timeout=WAIT)
    except Exception as error:
        raise NbkitError(
            f"the client's scheduler has no workers after {WAIT:.0f} seconds ({_reason(error)}): start some, such as "
            "by `dask worker ADDRESS`"
        ) from error


class Crew:
    """The workers of a cluster, each of which opens one thing, once, and does tasks with it."""

    def __init__(self, client: Client, thing: object) -> None:
        """
        Args:
            client: a checked one.
            thing: what all tasks get, sent as Dask sends its own messages, so that a new worker, too, can open it.

        Raises:
            NbkitError: it can't be sent to another process.
        """
        from distributed.protocol.pickle import dumps

        self.client, self.name = client, f"nbkit-{uuid.uuid4().hex}"
        try:
            self._sent = dumps(thing)
        except Exception as error:  # whatever a part of it raises
            raise NbkitError(f"it can't be sent to other processes ({_reason(error)}): leave client out") from error

    def __enter__(self) -> Crew:
        from distributed import WorkerPlugin

        name, sent = self.name, self._sent

        class Open(WorkerPlugin):  # type: ignore[misc]  # untyped here
            """Hands the thing to a worker that joins; it is opened by the first task."""

            def setup(self, worker: object) -> None:
                hold(name, sent)

            def teardown(self, worker: object) -> None:
                let_go(name)

        try:
            self.client.register_plugin(Open(), name=self.name)
        except Exception as error:
            raise _gone() from error
        try:
            self._check_workers()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(Exception):  # the scheduler may be gone
            self.client.unregister_worker_plugin(self.name)

    def _check_workers(self) -> None:
        """Lets every worker that is there open the thing.

        Raises:
            NbkitError: one can't.
        """
        opening = {
            each: self.client.submit(_open, self.name, workers=[each], pure=False) for each in _workers(self.client)
        }
        for address, future in opening.items():
            while not future.done() and address in _workers(self.client):  # one that ends is replaced by another
                with suppress(Exception):
                    future.result(timeout=1)
            if future.status == "error":
                raise NbkitError(f"worker {address}: {_reason(future.exception())}") from future.exception()

    def each(
        self, function: Callable[..., Any], tasks: Mapping[str, tuple[Any, ...]], gradually: bool = False
    ) -> Iterator[tuple[str, Any]]:
        """The name of each task and what a function gives for the thing and it, in the order in which they are done.

        A task that fails is tried again, three times in all, and one whose worker ends on another worker.

        Args:
            function: one that a worker finds by its name.
            tasks: its arguments behind the thing, by what a task is called.
            gradually: for tasks that learn from those before them. The first is done alone, then two more are begun for
                each that is done, and never more at a time than there are workers.

        Raises:
            NbkitError: a task failed three times, or the scheduler is gone. The tasks that are not begun are left.
        """
        named = {name: (self.name, function, *task) for name, task in tasks.items()}
        yield from done(self.client, _do, named, gradually)


def done(
    client: Client, function: Callable[..., Any], tasks: Mapping[str, tuple[Any, ...]], gradually: bool = False
) -> Iterator[tuple[str, Any]]:
    """The name of each task and what a function gives for it, in the order in which they are done; see `Crew.each`."""
    from distributed import as_completed

    todo = iter(tasks.items())
    names: dict[str, str] = {}
    futures: list[Future] = []
    begun = as_completed(loop=client.loop)  # whether or not it is the default client

    def begin(most: int) -> None:
        some = {f"{name} {uuid.uuid4().hex}": (name, task) for name, task in islice(todo, most)}
        if not some:
            return
        names.update({key: name for key, (name, _) in some.items()})
        arguments = zip(*(task for _, task in some.values()), strict=True)
        try:
            new = client.map(function, *arguments, key=list(some), pure=False, retries=TRIES - 1)
        except Exception as error:
            raise _gone() from error
        futures.extend(new)
        begun.update(new)

    try:
        begin(1 if gradually else len(tasks))
        for n_done, future in enumerate(_as_done(begun, client), 1):
            name = names[future.key]
            result = _result(future, name)
            if len(futures) < len(tasks):
                doing = len(futures) - n_done
                begin(max(0, most_at_a_time(n_done, len(_workers(client))) - doing))
            yield name, result
    finally:
        with suppress(Exception):
            client.cancel(futures, force=True)


def _as_done(begun: as_completed, client: Client) -> Iterator[Future]:
    """Futures as they are done. Where there are no workers it waits on, since some may come, and says so."""
    looked = time.monotonic()
    while not begun.is_empty():
        if begun.has_ready():
            yield next(begun)
            looked = time.monotonic()
        elif time.monotonic() - looked < WAIT:
            time.sleep(POLL)
        else:
            looked = time.monotonic()
            if not _workers(client):
                warnings.warn(NO_WORKERS, stacklevel=2)


def most_at_a_time(n_done: int, n_workers: int) -> int:
    """How many tasks that learn from those before them are done at the same time."""
    return min(n_done + 1, max(1, n_workers))


def _workers(client: Client) -> set[str]:
    """Addresses of those that are there.

    Raises:
        NbkitError: the scheduler is gone.
    """
    try:
        return set(client.nthreads())
    except Exception as error:
        raise _gone() from error


def _result(future: Future, task: str) -> Any:
    """What a task gave; or in a sentence what it failed of, or that the scheduler is gone."""
    try:
        result = future.result()
    except Exception as error:
        if future.status != "error":  # it isn't the task's own
            raise _gone() from error
        raise _failed(task, error) from error
    future.release()  # or the workers keep all results
    return result


def _failed(task: str, error: Exception) -> NbkitError:
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        ended = error.allowed_failures + 1
        return NbkitError(
            f"{task}: {ended} workers ended while they did it, as those do that have too little memory; {KEPT}"
        )
    return NbkitError(f"{task} failed {TRIES} times: {_reason(error)}; {KEPT}")


def _gone() -> NbkitError:
    return NbkitError(f"the cluster's scheduler is gone; {KEPT}, with a new client")


def _reason(error: BaseException | None) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def hold(name: str, sent: bytes) -> None:
    """Keeps what was sent to this worker under a name; it is opened by the first task that needs it."""
    _held[name] = sent


def let_go(name: str) -> None:
    """Forgets it, and what was opened."""
    _held.pop(name, None)


def _thing(name: str) -> Any:
    if isinstance(_held.get(name), bytes):
        from distributed.protocol.pickle import loads

        _held[name] = loads(_held[name])
    return _held[name]


def _open(name: str) -> None:
    with _lock:
        _thing(name)


def _do(name: str, function: Callable[..., Any], *task: Any) -> Any:
    with _lock:
        return function(_thing(name), *task)
