"""Files whole or not at all: what killed processes leave is swept, what living ones write stays."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nbkit import files
from nbkit.errors import NbkitError
from tests.files.disks import refusing

# Says that it is in the middle of writing, and waits.
WRITER = """
import sys, time
from pathlib import Path
from nbkit.files import replacing, replacing_folder
with {replacing}(Path(sys.argv[1])) as temporary:
    (temporary / "part" if temporary.is_dir() else temporary).write_text("half")
    print("writing", flush=True)
    sys.stdin.read()
"""


def start_writing(path: Path, replacing: str = "replacing") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER.format(replacing=replacing), str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


@pytest.mark.parametrize("replacing", ["replacing", "replacing_folder"])
def test_leftovers_of_the_dead_are_swept_and_those_of_the_living_stay(replacing: str, tmp_path: Path) -> None:
    dead, living = (start_writing(tmp_path / name, replacing) for name in ("dead", "living"))
    dead.send_signal(signal.SIGKILL)
    dead.communicate()
    (tmp_path / ".tmpVf7YML").touch()  # as safetensors called its own
    (tmp_path / ".mine").touch()
    assert len(list(tmp_path.iterdir())) == 4
    files.sweep(tmp_path)
    assert sorted(path.name.split(".")[1] for path in tmp_path.iterdir()) == ["living", "mine"]
    living.communicate()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".mine", "living"]


def test_leftovers_are_swept_where_a_lock_needs_a_file_that_is_open_for_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As NFS has it."""
    import fcntl

    def locked(number: int, _: int) -> None:
        if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    monkeypatch.setattr("nbkit.files.whole.fcntl.flock", locked)
    (tmp_path / ".one.dead.tmp").touch()
    (tmp_path / ".two.dead.tmp").mkdir()
    files.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".two.dead.tmp"], "a folder can't be locked there"


def test_the_next_write_sweeps_the_halves_of_its_own_file_alone(tmp_path: Path) -> None:
    for name in ("one", "two"):
        process = start_writing(tmp_path / name)
        process.kill()
        process.communicate()
    (tmp_path / ".one.mine.tmp.txt").touch()
    with files.replacing(tmp_path / "one") as temporary:
        temporary.write_text("whole")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [name.split(".")[1] for name in names if name.startswith(".")] == ["one", "two"]
    assert "one" in names and ".one.mine.tmp.txt" in names


def test_two_processes_write_the_same_file_and_the_last_one_wins(tmp_path: Path) -> None:
    first, second = (start_writing(tmp_path / "both") for _ in range(2))
    assert len(list(tmp_path.iterdir())) == 2
    second.communicate()
    first.communicate()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["half"]


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_folder_that_gives_no_room_is_told(code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.open", refusing(code, tmp_path))
    with pytest.raises(NbkitError, match=rf"can't write .*some.json \({os.strerror(code)}\); \d+\.\d GB are free"):
        files.write_json({}, tmp_path / "some.json")
    assert files.cannot_write_to(tmp_path) == (code != errno.ENOSPC)
    assert list(tmp_path.iterdir()) == []
