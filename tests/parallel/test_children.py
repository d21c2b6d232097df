"""Nothing that nbkit starts lives on: workers, package clients and what those start, whatever ends their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nbkit.parallel.children import end_guarded, run_guarded

ROOT = Path(__file__).parents[2]
WORKERS = """
import sys, typer
from pathlib import Path
import nbkit.cli
from nbkit.parallel.pool import in_processes
from tests.parallel.test_children import note_and_wait
@nbkit.cli.app.command()
def wait(folder: Path):
    in_processes(note_and_wait, [(folder,)] * 4, 2, "wait", "task", True)
nbkit.cli.main()
"""
CLIENT = """
import sys
from nbkit.parallel.children import run_guarded
run_guarded(["sh", "-c", "echo $$ > " + sys.argv[2] + "/sh; sh -c 'echo $$ > " + sys.argv[2] + "/inner; sleep 300'; :"])
"""


def note_and_wait(folder: Path) -> None:
    (folder / str(os.getpid())).touch()
    time.sleep(300)


def is_alive(process: int) -> bool:
    """Whether a process runs; one that nobody has buried yet doesn't."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True).stdout
    return bool(state.strip()) and not state.strip().startswith("Z")


def numbers_in(folder: Path, n: int) -> list[int]:
    """The numbers of the processes that noted them in a folder, as soon as there are n."""
    for _ in waited():
        names = [path.read_text().strip() or path.name for path in folder.iterdir()]
        if len(names) >= n and all(name.isdigit() for name in names):
            return [int(name) for name in names]
    raise AssertionError(f"{n} processes did not start")


def waited(seconds: float = 60) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.05)


ENDINGS = [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]


@pytest.mark.parametrize(("number", "status"), ENDINGS, ids=[number.name for number, _ in ENDINGS])
def test_workers_end_with_the_command(number: signal.Signals, status: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WORKERS, "wait", str(tmp_path)]
    parent = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    workers = numbers_in(tmp_path, 2)
    assert all(is_alive(worker) for worker in workers)
    parent.send_signal(number)
    _, said = parent.communicate(timeout=60)
    assert parent.returncode == status, said
    if status > 0:
        assert "nbkit: interrupted; run the same command again to go on" in said.splitlines()
        assert "Traceback" not in said
    assert any(not any(is_alive(worker) for worker in workers) for _ in waited(10))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_client_and_its_children_end_with_their_parent(number: signal.Signals, tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", CLIENT, "-", str(tmp_path)], cwd=ROOT, stderr=subprocess.DEVNULL)
    clients = numbers_in(tmp_path, 2)
    assert all(is_alive(client) for client in clients)
    parent.send_signal(number)
    parent.wait(timeout=60)
    assert any(not any(is_alive(client) for client in clients) for _ in waited(10))


def test_a_client_says_and_gives_what_it_would_without_a_guard(tmp_path: Path) -> None:
    script = "echo out $PLACE; echo err >&2; cat; pwd; exit 7"
    done = run_guarded(["sh", "-c", script], tmp_path, os.environ | {"PLACE": "here"})
    assert (done.returncode, done.stdout, done.stderr) == (7, f"out here\n{tmp_path.resolve()}\n", "err\n")
    assert run_guarded(["sh", "-c", "kill -9 $$"]).returncode == 128 + signal.SIGKILL
    with pytest.raises(FileNotFoundError):
        run_guarded([tmp_path / "nowhere"])
    (tmp_path / "text").write_text("no program")
    with pytest.raises(PermissionError):
        run_guarded([tmp_path / "text"])


def test_clients_of_other_threads_can_be_ended() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(run_guarded, ["sh", "-c", "echo begun >&2; sleep 300"]) for _ in range(2)]
        for _ in waited():
            end_guarded()
            if all(run.done() for run in runs):
                break
        assert all(run.result().returncode == 1 for run in runs)
