"""Builds of one atlas, what is derived from it, and training in processes that kill themselves, for
`tests/atlas/test_build.py`.

Run as `python -m tests.atlas.killed_builds <model folder> <folder of the atlases>`, alone in its process: it forks.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

import nbkit.atlas.build
import nbkit.files.formats
from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.job import IDENTITY, SCAN
from nbkit.explorers.atlas import shard_files
from nbkit.explorers.atlas.shard_files import write_shards
from nbkit.models import LanguageModel, load_model
from nbkit.sae.config import SaeConfig
from nbkit.sae.training import train_sae
from tests.examples.tiny_models import random_contexts

KILLED = "killed"
WHOLE = "whole"
TOGETHER = "together"


def build(model: LanguageModel, out: Path) -> Atlas:
    """Three blocks and two layers, little enough to be built many times."""
    config = AtlasConfig(layers=[0, 2], batch_size=4, block_size=8, max_examples=6)
    return nbkit.atlas.build.build_atlas(model, random_contexts(20, 24), out, config, progress=False)


def derive(folder: Path) -> None:
    """All that is made from an atlas."""
    if not folder.exists():
        shutil.copytree(folder.parent / TOGETHER, folder)
    atlas = open_atlas(folder)
    assert not list(folder.glob(".*.tmp"))  # opening has swept them
    atlas.metrics("gradient", progress=False)
    write_shards(atlas, progress=False)


def train(folder: Path) -> None:
    """Four steps, with a checkpoint after the second."""
    data = torch.arange(64).sin().view(16, 4)
    train_sae(data, SaeConfig(d_sae=5, batch_size=4, checkpoint_every=2), folder, progress=False)


class Moments:
    """The moments of a build at which something changes on disk; kills the process at number `deadly`."""

    def __init__(self, deadly: int) -> None:
        self.deadly, self.number = deadly, 0

    def pass_by(self, last_words: Callable[[], object] = lambda: None) -> None:
        self.number += 1
        if self.number == self.deadly:
            last_words()
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Puts itself into every write and removal of a build."""
        formats: Any = nbkit.files.formats
        shards: Any = shard_files
        replacing, rmtree, replacing_folder = formats.replacing, shutil.rmtree, shards.replacing_folder

        @contextmanager
        def watched(path: Path) -> Iterator[Path]:
            with replacing(path) as temporary:
                yield temporary
                self.pass_by(lambda: os.truncate(temporary, temporary.stat().st_size // 2))
            self.pass_by()

        def watched_rmtree(path: Path, ignore_errors: bool = False) -> None:
            if path.name == SCAN:
                self.pass_by((path / IDENTITY).unlink)
            rmtree(path, ignore_errors=ignore_errors)
            self.pass_by()

        @contextmanager
        def watched_folder(folder: Path) -> Iterator[Path]:
            with replacing_folder(folder) as temporary:
                yield temporary
                self.pass_by()
            self.pass_by()

        formats.replacing = watched
        shards.replacing_folder = watched_folder
        shutil.rmtree = watched_rmtree  # type: ignore[assignment]


def forked(work: Callable[[], object]) -> int:
    """Starts `work` in a process of its own; gives the process's number."""
    process = os.fork()
    if process == 0:
        try:
            work()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    return process


def ended(process: int) -> int:
    """Waits for a process; gives its exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def killed_at(deadly: int, work: Callable[..., object], *arguments: object) -> bool:
    """Works in another process that is killed at a moment; whether it came that far."""

    def watched() -> None:
        Moments(deadly).watch()
        work(*arguments)

    code = ended(forked(watched))
    assert code in (0, -signal.SIGKILL), code
    return code != 0


def main(model_folder: Path, out: Path) -> None:
    torch.set_num_threads(1)
    model = load_model(model_folder, dtype="float32", device="cpu")
    # Once at every moment, then run again to the end.
    deadly = 1
    while killed_at(deadly, build, model, out / f"{KILLED}-{deadly:03d}"):
        build(model, out / f"{KILLED}-{deadly:03d}")
        deadly += 1
    # Killed again and again in one folder, each time a little later.
    deadly = 1
    while killed_at(deadly, build, model, out / f"{KILLED}-again"):
        deadly += 2
    # Three processes that build in one folder at once.
    processes = [forked(lambda: build(model, out / TOGETHER)) for _ in range(3)]
    assert [ended(process) for process in processes] == [0, 0, 0]
    # What is made from an atlas and what is trained, likewise; and one that all of three processes make at once.
    for work in (derive, train):
        work(out / f"{WHOLE}-{work.__name__}")
        deadly = 1
        while killed_at(deadly, work, out / f"{KILLED}-{work.__name__}-{deadly:03d}"):
            work(out / f"{KILLED}-{work.__name__}-{deadly:03d}")
            deadly += 1
    processes = [forked(lambda: derive(out / f"{TOGETHER}-{derive.__name__}")) for _ in range(3)]
    assert [ended(process) for process in processes] == [0, 0, 0]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
