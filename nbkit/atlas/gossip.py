"""What processes that scan blocks of one atlas at the same time learn from each other.

A process that has seen little keeps much: what it can't rule out yet. So each leaves, with every block, what it knows
by then (`Bounds.told`): of a unit 8 bytes, its largest strength in all blocks that the process scanned or learned of,
and of how many contexts in every band it knows, up to those that are shown. Before its next block it reads what a few
others left meanwhile. Since they tell what they had learned, too, news of a block is with n processes after a number of
blocks that grows with the logarithm of n, and what a process reads for a block doesn't grow.

**What holds where.** A unit's largest strength in any block is none above the final maximum: it rules out contexts of
every other block, before it or behind it. Counts hold only for later contexts, since an example is among the *first* of
its unit or band. So they are taken from what was left with an earlier block than the one to be scanned: a process that
leaves something with block b has counted nothing behind b. The k-th largest activation isn't told: two processes may
have it of the same contexts, and it rules out little besides the threshold before a unit has k examples.
"""

from __future__ import annotations

import random
from collections.abc import Collection

READ = 4
"""Of the others' files that a process reads for a block, at most."""
PREFIX = "bounds-"


def bounds_file(number: int) -> str:
    """What a process knew when it had scanned a block."""
    return f"{PREFIX}{number:06d}.safetensors"


def worth_reading(new: Collection[int], number: int) -> list[int]:
    """From which blocks a process learns before it scans another: some drawn at random, since the processes that all
    took the same ones would learn the same; earlier ones rather than later ones, of which only the maximum holds.

    Args:
        new: blocks that others scanned since the last time.
        number: the one to be scanned.
    """
    drawn = random.Random(number).sample(sorted(new), len(new))
    return sorted(drawn, key=lambda each: each > number)[:READ]
