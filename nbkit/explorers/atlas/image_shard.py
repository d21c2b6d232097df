"""The images of an atlas in shards, as images.js reads them: those that the explorer has an example of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.neuron import Neuron
from nbkit.units.inputs import UNNAMED

IMAGE_BYTES = 50_000
"""Of the images in one shard, before they are compressed: 63 of MNIST's, one photo."""


@dataclass(frozen=True, eq=False)
class ShownImages:
    """The images of an atlas of images that are shown somewhere."""

    atlas: Atlas
    images: UInt8[np.ndarray, "n_contexts h w ..."]

    @cached_property
    def contexts(self) -> Int[np.ndarray, " shown"]:
        """Their numbers, in corpus order."""
        neurons = (neuron for layer in self.atlas.layers for neuron in self.atlas.iterate(layer))
        return np.unique(np.concatenate([np.empty(0, dtype=np.int64), *_contexts(neurons)]))

    @property
    def per_shard(self) -> int:
        """Images in a shard."""
        return max(1, IMAGE_BYTES // int(self.images[0].size))

    @property
    def n_shards(self) -> int:
        """How many shards there are."""
        return -(-len(self.contexts) // self.per_shard)

    @property
    def about(self) -> dict[str, Any]:
        """What images.js is told of them."""
        _, height, width, *channels = self.images.shape
        return {
            "height": height,
            "width": width,
            "channels": channels[0] if channels else 1,
            "per_shard": self.per_shard,
            "labeled": self.atlas.vocabulary["text"].tolist() != [UNNAMED],
        }

    @property
    def places(self) -> dict[str, np.ndarray]:
        """`shown`, the numbers of the images in the order of the shards; and of the sites, by their place, whose units
        see a part of an image, what they see at each position as `boxes_0`: top, left, bottom and right."""
        boxes = {f"boxes_{place}": self.atlas.boxes(layer) for place, layer in enumerate(self.atlas.layers)}
        known = {name: some.astype(np.uint16).ravel() for name, some in boxes.items() if some is not None}
        return {"shown": self.contexts.astype(np.uint32), **known}

    def shard(self, number: int) -> dict[str, np.ndarray]:
        """The `pixels` of a shard's images: bytes, row by row, of colored ones red, green and blue of each pixel."""
        some = self.contexts[number * self.per_shard : (number + 1) * self.per_shard]
        return {"pixels": self.images[some]}


def _contexts(neurons: Iterable[Neuron]) -> Iterable[Int[np.ndarray, " n"]]:
    for neuron in neurons:
        yield from (neuron.context, neuron.strongest.context, *(level.context for level in neuron.levels))
