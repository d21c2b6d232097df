"""The command line where there is little to print to: ASCII terminals, closed pipes, no home, no terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from nbkit.cli import main; main()"]
ASCII = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def run(arguments: list[str], **changes: str | None) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "NBKIT_OFFLINE": "1", "COLUMNS": "80", **changes}
    kept = {name: value for name, value in environment.items() if value is not None}
    return subprocess.run([*COMMAND, *arguments], capture_output=True, env=kept)


@pytest.mark.parametrize("command", [[], ["fetch"], ["atlas"], ["book"], ["check"]], ids=" ".join)
def test_help_prints_on_an_ascii_terminal(command: list[str]) -> None:
    done = run([*command, "--help"], **ASCII, TERM=None)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.isascii() and b"Usage:" in done.stdout and b"\\u" not in done.stdout


def test_what_ascii_lacks_is_escaped_in_a_message(tmp_path: Path) -> None:
    done = run(["check", str(tmp_path / "naïve-日本")], **ASCII)
    assert done.returncode == 2 and done.stdout == b""
    assert done.stderr.startswith(b"nbkit: there is no folder ") and done.stderr.count(b"\n") == 1
    assert b"na\\xefve-\\u65e5\\u672c" in done.stderr or b"na\\udcc3\\udcafve" in done.stderr


def test_a_listing_into_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*COMMAND, "fetch"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


def test_without_a_home_the_cache_is_named(tmp_path: Path) -> None:
    assert run(["fetch"], HOME=None, NBKIT_CACHE=None, XDG_CACHE_HOME=None).returncode == 0
    done = run(["check"], HOME=None, NBKIT_CACHE="~nobody-here/cache")
    assert done.returncode == 2 and b"there is no folder" in done.stderr and b"Traceback" not in done.stderr
