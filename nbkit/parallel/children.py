"""Processes that end with the one that started them, whatever ends it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

LOOK_EVERY = 0.5
"""Seconds between a worker's looks at its parent."""
NOT_STARTED = 199
"""Exit status of the guard if the command did not start; the last line that it says is the error's number."""

# Runs a command in a process group of its own and ends the group when the guard's input is closed: by the process that
# holds the other end, or by the system when that process ends.
_GUARD = f"""
import os, signal, subprocess, sys, threading
try:
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
except OSError as error:
    sys.stderr.write(str(error.errno))
    sys.exit({NOT_STARTED})
def end(*_):
    try:
        os.killpg(child.pid, signal.SIGKILL) if hasattr(os, "killpg") else child.kill()
    except OSError:
        pass
    os._exit(1)
def watch():
    os.read(0, 1)
    end()
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, end)
threading.Thread(target=watch, daemon=True).start()
status = child.wait()
os._exit(status if status >= 0 else 128 - status)
"""
_lifelines: set[int] = set()


def run_guarded(
    command: Sequence[str | Path],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    capture: bool = True,
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, with nothing to read; it and all that it starts end with this process.

    Raises:
        OSError: it does not start.
    """
    read, lifeline = os.pipe()
    _lifelines.add(lifeline)
    pipe = subprocess.PIPE if capture else None
    guarded = [sys.executable, "-I", "-S", "-c", _GUARD, *map(str, command)]
    try:
        guard = subprocess.Popen(guarded, cwd=cwd, env=env, stdin=read, stdout=pipe, stderr=pipe, text=True)
    except BaseException:
        _close(lifeline)
        raise
    finally:
        os.close(read)
    try:
        out, err = guard.communicate()
    finally:
        _close(lifeline)
        guard.wait()
    if guard.returncode == NOT_STARTED:
        number = int((err or "0").split()[-1])
        raise OSError(number, os.strerror(number))
    return subprocess.CompletedProcess(list(command), guard.returncode, out, err)


def end_guarded() -> None:
    """Ends all that `run_guarded` runs in any thread."""
    for lifeline in list(_lifelines):
        _close(lifeline)


def _close(lifeline: int) -> None:
    with suppress(KeyError):  # closed by another thread
        _lifelines.remove(lifeline)
        os.close(lifeline)


@cache
def end_with(parent: int) -> None:
    """Lets this process, a child of `parent`, end when that one does.

    On Windows a process is told the number of its parent for ever, and stays.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_EVERY)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
