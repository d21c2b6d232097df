"""What the units of an atlas of images see of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, UInt8


class Box(NamedTuple):
    """A part of an image, in pixels; the ends are no part of it."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True, eq=False)
class SeenImages:
    """The images of a site's units."""

    images: UInt8[np.ndarray, "n_contexts h w ..."]
    """See `Atlas.images`."""
    boxes: Int[np.ndarray, "positions 4"] | None
    """See `Atlas.boxes`."""

    def box(self, position: int) -> Box:
        """What a unit sees at a position."""
        _, height, width, *_ = self.images.shape
        return Box(0, 0, height, width) if self.boxes is None else Box(*self.boxes[position].tolist())

    def of(self, contexts: Sequence[int]) -> dict[int, UInt8[np.ndarray, "h w ..."]]:
        """Some images by their number."""
        return {context: self.images[context] for context in sorted(set(contexts))}
