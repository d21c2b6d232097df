"""Small atlases of images: of a convolution and what follows it, on gray ones, and of arrays on colored ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.units.arrays import atlas_from_arrays
from nbkit.units.modules import atlas_from_module

N, HEIGHT, WIDTH = 60, 12, 10
LABELS = np.arange(N) % 5


class Seeing(nn.Module):
    """Four channels that see 4 x 3 pixels, and three units that see all."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, (4, 3), padding=(1, 0))
        self.whole = nn.Linear(4 * 11 * 8, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(n, 1, h, w) -> (n, 3)."""
        return torch.relu(self.whole(torch.relu(self.conv(images)).flatten(1)))


def gray_atlas(out: Path) -> Atlas:
    """Of `Seeing`, on labeled images, by the paper's embedding."""
    torch.manual_seed(0)
    images = torch.rand(N, 1, HEIGHT, WIDTH)
    config = AtlasConfig(embedding="paper")
    return atlas_from_module(Seeing(), ["conv", "whole"], images, out, labels=LABELS, config=config, progress=False)


def colored_atlas(out: Path) -> Atlas:
    """Of two units, on images without labels."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 7, 6, 3), dtype=np.uint8)
    read = rng.normal(size=(40, 9)).astype(np.float32)
    return atlas_from_arrays(read, rng.normal(size=(2, 9)), images, out, progress=False)
