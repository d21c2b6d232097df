"""A small atlas of an untrained convolutional network, for all that is measured on the trained one."""

from __future__ import annotations

from pathlib import Path

import torch

from nbkit.atlas.config import AtlasConfig
from nbkit.mnist.cnn import LAYERS, MnistCNN
from nbkit.studies.image_patches.channels import Channels
from nbkit.units.modules import atlas_from_module


def example_channels(folder: Path, n: int = 60, seed: int = 0) -> Channels:
    """Copies of ten patterns, one a digit, of different strength and with a little noise; no ink at the edges."""
    generator = torch.Generator().manual_seed(seed)
    patterns = (torch.rand(10, 1, 20, 20, generator=generator) < 0.2).float()
    digits = torch.randint(10, (n,), generator=generator)
    noise = 0.3 * torch.rand(n, 1, 20, 20, generator=generator)
    ink = (0.4 + 0.3 * torch.rand(n, 1, 1, 1, generator=generator)) * patterns[digits] + noise
    inputs = torch.nn.functional.pad(ink, (4, 4, 4, 4))
    cnn = MnistCNN(seed).requires_grad_(False)
    config = AtlasConfig(threshold=0.1, max_examples=40, embedding="paper")
    atlas = atlas_from_module(cnn, LAYERS, inputs, folder, labels=digits, config=config, progress=False)
    return Channels(cnn, inputs, atlas, 0.5)
