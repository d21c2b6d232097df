"""MNIST: the images of digits and their labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nbkit import assets
from nbkit.errors import NbkitError

MEAN, STD = 0.1307, 0.3081
"""Of the pixels of the training images, which inputs are normalized by."""

SIDE = 28
"""Pixels in a row of an image, and rows."""
PIXELS, HIDDEN, CLASSES = SIDE * SIDE, 64, 10


@dataclass(frozen=True, eq=False)
class Mnist:
    """The images, normalized, and their labels."""

    train_images: Float[Tensor, "60000 784"]
    train_labels: Int[Tensor, " 60000"]
    test_images: Float[Tensor, "10000 784"]
    test_labels: Int[Tensor, " 10000"]


def load_mnist() -> Mnist:
    """All 60,000 + 10,000 images, fetched once and verified.

    Raises:
        NbkitError: they can't be fetched, or a file in the cache is damaged.
    """
    folder = assets.fetch("mnist")
    return Mnist(*_read_set(folder, "train", 60_000), *_read_set(folder, "t10k", 10_000))


def pixels(images: Float[Tensor, "n 784"]) -> Float[Tensor, "n 784"]:
    """Normalized images back in [0, 1]."""
    return (images * STD + MEAN).clamp(0, 1)


def read_idx(path: Path) -> Tensor:
    """The bytes of an IDX file, in its shape.

    Two zeros, the type (8: bytes), the number of dimensions; each dimension in four bytes, the highest first; the data.

    Raises:
        NbkitError: it can't be read, is not an IDX file of bytes, or not whole.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NbkitError(f"{path} can't be read ({error.strerror}): delete its folder and fetch it again") from error
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise NbkitError(f"{path} is not an IDX file of bytes: delete its folder and fetch it again")
    start = 4 + 4 * content[3]
    shape = [int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4)]
    if len(content) != start + math.prod(shape):
        raise NbkitError(f"{path} is not whole: delete its folder and fetch it again")
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy())


def _read_set(folder: Path, name: str, n: int) -> tuple[Tensor, Tensor]:
    """Normalized images and labels."""
    images, labels = (read_idx(folder / f"{name}-{rest}") for rest in ("images-idx3-ubyte", "labels-idx1-ubyte"))
    if images.shape != (n, 28, 28) or labels.shape != (n,) or labels.max() >= CLASSES:
        raise NbkitError(
            f"{folder} holds {name} images of shape {tuple(images.shape)} and labels of shape {tuple(labels.shape)}, "
            f"not {n:,} images of 28 x 28 and their digits: delete that folder and fetch MNIST again"
        )
    return images.flatten(1).float().div_(255).sub_(MEAN).div_(STD), labels.long()
