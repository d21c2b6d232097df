"""What tensors in memory are, as one checksum."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported when first used: it takes seconds, and the help needs none of it
    from torch import Tensor


def sha256_of_tensors(named: Iterable[tuple[str, Tensor | Callable[[], Tensor]]], of: str = "") -> str:
    """sha256 of tensors with their names, shapes and dtypes, in the order of the names, and of a text before them.

    Args:
        named: each as it is, or as a function that reads it when its turn comes.
    """
    import torch

    digest = hashlib.sha256(of.encode())
    for name, given in sorted(named, key=lambda pair: pair[0]):
        tensor = given() if callable(given) else given
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
