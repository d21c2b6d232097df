"""How many threads PyTorch has for one operation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, PyTorch does everything in one thread. For small operations in turn with NumPy's that is several times as
    fast as two: those of either library stay awake for a while when they are done, and keep the other's from work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
