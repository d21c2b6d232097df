"""What processes that scan blocks of one atlas at the same time learn from each other: a file at their place, which
each reads before a block and adds to behind it.

A process that has seen little keeps much: whatever it can't rule out yet. The *board* holds of every unit 8 bytes: its
largest strength in all blocks that were added, and of how many contexts in every band they know, up to those that are
shown. It doesn't grow, and neither does what is read and written for a block.

**What holds where.** A unit's largest strength in any block is none above the final maximum, so it rules out contexts
of every block, in whatever order they are scanned. Counts hold for later contexts alone, since an example is among the
*first* of its unit or band; so those of the board are taken by a block behind all that were added. The workers of a
cluster get blocks in ascending order, and each finds that so, but for one that is tried again. The jobs of an array do
theirs at the same time, and learn maxima. The k-th largest activation is not on the board: the lists of two processes
would have to be merged, a hundred numbers a unit, and it rules nothing out before a unit has as many examples.

Of two processes that add at the same moment, one's addition is lost until it adds again, with its next block. That
makes other blocks larger, never different after the merge.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nbkit.atlas.levels import LevelCounts
from nbkit.atlas.places import LocalPart, Place
from nbkit.errors import NbkitError


@dataclass(frozen=True, eq=False)
class Board:
    """What is known of the units of all sites; of sites with fewer than the largest the last places are unused."""

    maximum: Float[Tensor, "sites widest"]
    """Largest strengths; NaN of a unit with an activation that is not finite."""
    shown: Int[Tensor, "sites widest"]
    """See `LevelCounts.shown`; relative to the band of the maximum."""
    stop: int
    """What is counted stands in blocks before this one."""

    def joined(self, other: Board) -> Board:
        """What both know."""
        levels = LevelCounts(*self.maximum.shape)
        for each in (self, other):
            levels.learn(each.maximum, each.shown)
        maximum = torch.maximum(self.maximum, other.maximum)
        return Board(maximum, levels.shown, max(self.stop, other.stop))

    def write(self, place: Place, name: str, of: str) -> None:
        """Puts it at a place.

        Args:
            of: the atlas that it is of, see `Place.write`.
        """
        place.write({"maximum": self.maximum, "shown": self.shown, "stop": torch.tensor([self.stop])}, name, of)


def read_board(place: Place, name: str, of: str) -> Board | None:
    """The board of an atlas; None if nobody has written one.

    Raises:
        NbkitError: it is damaged, or of another atlas.
    """
    with tempfile.TemporaryDirectory(prefix="nbkit-") as folder:
        path = Path(folder) / "board"
        if not place.copy(name, path):  # of one moment: others replace it while it is read
            return None
        part = LocalPart(path)
        try:
            part.verify(of)  # a wrong bound would spoil all blocks that learn it
        except NbkitError as error:
            raise NbkitError(f"{place}/{name} is damaged or of another atlas: delete it and run again") from error
        return Board(part["maximum"].clone(), part["shown"].clone(), int(part["stop"]))
