"""Tasks about few neurons stay in this process, with one thread."""

from __future__ import annotations

import os

import pytest
import torch

from nbkit.parallel.pool import FEW_NEURONS, gather
from nbkit.parallel.threads import one_thread


def process_and_threads(number: int) -> tuple[int, int, int]:
    return number, os.getpid(), torch.get_num_threads()


def test_few_neurons_are_done_here_and_many_elsewhere_each_with_one_thread() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    tasks = [(number,) for number in range(3)]
    try:
        here = gather(process_and_threads, tasks, FEW_NEURONS, "", "", progress=False)
        there = gather(process_and_threads, tasks, FEW_NEURONS + 1, "", "", progress=False)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert here == [(number, os.getpid(), 1) for number in range(3)]
    assert [(number, threads) for number, _, threads in there] == [(0, 1), (1, 1), (2, 1)]
    assert os.getpid() not in {process for _, process, _ in there}


def test_what_fails_with_one_thread_leaves_as_many_as_there_were() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyError), one_thread():
            raise KeyError(torch.get_num_threads())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
