"""Calls that are made one after the other in a thread of their own, while a GPU goes on with what was asked of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Any, Protocol

import torch


class Turn(Protocol):
    """Makes a call, now or behind those before it."""

    def __call__(self, work: Callable[..., object], *args: Any) -> None:
        """Calls `work(*args)`."""


def at_once(work: Callable[..., object], *args: Any) -> None:
    """Calls it now."""
    work(*args)


@contextmanager
def in_turn(device: torch.device, waiting: int) -> Iterator[Turn]:
    """Gives a function that hands calls to a thread, which makes them in their order; at the end all are made.

    On a GPU the thread has a stream of its own: a call waits for what its caller had asked of the device by then, and
    what it asks itself doesn't hold up the caller's next work. It must have ended what it asked when it lets go of
    tensors of the caller's.

    Args:
        device: that the calls work on.
        waiting: calls at most that are not made yet; whoever hands over another one waits.

    Raises:
        BaseException: what a call raised, by the next that is handed over or at the end; later ones are not made.
    """
    turns = _Turns(device, waiting)
    try:
        yield turns
    except BaseException:
        turns.end(made=False)
        raise
    turns.end()


class _Turns:
    def __init__(self, device: torch.device, waiting: int) -> None:
        self._gpu = device if device.type == "cuda" else None
        self._stream = torch.cuda.Stream(device) if self._gpu is not None else None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nbkit-turns")
        self._room = BoundedSemaphore(waiting)
        self._error: BaseException | None = None
        self._given_up = False

    def __call__(self, work: Callable[..., object], *args: Any) -> None:
        self._room.acquire()
        if self._error is not None:
            self._room.release()
            raise self._error
        event = None
        if self._gpu is not None:
            event = torch.cuda.current_stream(self._gpu).record_event()
        self._thread.submit(self._make, event, work, args)

    def _make(self, event: torch.cuda.Event | None, work: Callable[..., object], args: tuple[Any, ...]) -> None:
        try:
            if self._error is None and not self._given_up:
                with torch.cuda.stream(self._stream):  # None: nothing is changed
                    if self._stream is not None and event is not None:
                        self._stream.wait_event(event)
                    work(*args)
        except BaseException as error:  # the caller's to raise
            self._error = error
        finally:
            self._room.release()

    def end(self, made: bool = True) -> None:
        """Waits for the calls; if they shall not be `made`, for the one that is being made."""
        self._given_up = not made
        self._thread.shutdown()
        if made and self._error is not None:
            raise self._error
