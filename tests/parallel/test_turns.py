"""Calls that are handed to a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from nbkit.atlas.build import build_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.job import AtlasJob
from nbkit.atlas.scan import BlockScan
from nbkit.errors import NbkitError
from nbkit.models import LanguageModel, load_model
from nbkit.models.sign import SIGNS, Sign
from nbkit.parallel.turns import Turn, at_once, in_turn
from nbkit.units.together import join_units
from tests.examples.latent_units import tiny_latents
from tests.examples.stopped_writes import sums
from tests.examples.tiny_models import make_model, random_contexts

CPU = torch.device("cpu")
CONTEXTS = random_contexts(60, 32)
CONFIG = AtlasConfig(max_examples=4, batch_size=5, block_size=13)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return load_model(make_model("llama", tmp_path_factory.mktemp("models") / "llama"), device="cpu")


def test_calls_are_made_in_their_order_by_one_other_thread() -> None:
    made: list[int] = []
    threads: set[int] = set()

    def work(number: int) -> None:
        made.append(number)
        threads.add(threading.get_ident())

    with in_turn(CPU, 3) as turn:
        for number in range(50):
            turn(work, number)
    assert made == list(range(50))
    assert len(threads) == 1 and threading.get_ident() not in threads


def test_no_more_than_some_wait() -> None:
    go, began, handed = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        began.set()
        go.wait()

    def hand_over(turn: Turn) -> None:
        turn(at_once, int)
        turn(at_once, int)
        handed.set()

    with in_turn(CPU, 2) as turn:
        turn(first)
        began.wait()
        other = threading.Thread(target=hand_over, args=(turn,))
        other.start()
        assert not handed.wait(0.2)
        go.set()
        assert handed.wait(30)
        other.join()


def test_what_a_call_raises_comes_to_who_hands_over_the_next() -> None:
    made: list[int] = []

    def wrong() -> None:
        raise NbkitError("wrong")

    def hand_over(waiting: int, *calls: Callable[[], None]) -> None:
        with in_turn(CPU, waiting) as turn:
            for call in calls:
                turn(call)

    with pytest.raises(NbkitError, match="wrong"):
        hand_over(1, lambda: made.append(0), wrong, *(lambda n=n: made.append(n) for n in (1, 2, 3)))
    assert made == [0]
    with pytest.raises(NbkitError, match="wrong"):
        hand_over(9, wrong)  # the last


def test_those_that_wait_are_not_made_once_the_caller_fails() -> None:
    made: list[int] = []
    go, began = threading.Event(), threading.Event()

    def first() -> None:
        began.set()
        go.wait()
        made.append(0)

    def interrupted() -> None:
        with in_turn(CPU, 9) as turn:
            turn(first)
            turn(made.append, 1)
            began.wait()
            threading.Timer(0.2, go.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert made == [0]


@pytest.mark.parametrize("sign", SIGNS)
def test_a_scan_in_turn_leaves_the_same_bytes(
    sign: Sign, model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = AtlasConfig(**vars(CONFIG) | {"sign": sign})
    both = join_units(model, tiny_latents(model))
    build_atlas(both, CONTEXTS, tmp_path / "alone", config, progress=False)
    scanned, threads = threading.get_ident(), set()
    look = BlockScan._look

    def noted(scan: BlockScan) -> None:
        threads.add(threading.get_ident())
        look(scan)

    monkeypatch.setattr(BlockScan, "_look", noted)
    monkeypatch.setattr("nbkit.atlas.job.may_wait", lambda _: True)
    for n in (1, 4):
        monkeypatch.setattr("nbkit.atlas.job.sites_together", lambda *_, n=n: n)
        monkeypatch.setattr("nbkit.atlas.scan.sites_together", lambda *_, n=n: n)
        build_atlas(both, CONTEXTS, tmp_path / str(n), config, progress=False)
        assert sums(tmp_path / str(n)) == sums(tmp_path / "alone")
    assert threads and scanned not in threads


def test_a_scan_in_turn_goes_on_where_it_was_interrupted(
    model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_atlas(model, CONTEXTS, tmp_path / "alone", CONFIG, progress=False)
    monkeypatch.setattr("nbkit.atlas.job.may_wait", lambda _: True)
    leave = AtlasJob.leave

    def stopped(job: AtlasJob, scan: BlockScan, number: int, write: Turn) -> None:
        if number == 2:
            raise OSError("no space left")
        leave(job, scan, number, write)

    with monkeypatch.context() as patch:
        patch.setattr(AtlasJob, "leave", stopped)
        with pytest.raises(OSError, match="no space"):
            build_atlas(model, CONTEXTS, tmp_path / "stopped", CONFIG, progress=False)
    assert len(list((tmp_path / "stopped" / "scan").glob("block-*"))) == 2
    build_atlas(model, CONTEXTS, tmp_path / "stopped", CONFIG, progress=False)
    assert sums(tmp_path / "stopped") == sums(tmp_path / "alone")
