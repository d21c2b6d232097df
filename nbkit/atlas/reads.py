"""What the units of a site receive on the whole: the mean of it, and where trees of centered vectors are cut."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nbkit.method.clusters import chance_cut, unrelated_rows

VECTORS_AT_ONCE = 4096
"""Vectors that are widened to float64 at a time."""


class Reads:
    """The vectors that an atlas keeps of a site, a token's once however many units receive it.

    Args:
        vectors: (m, d), mapped into memory.
    """

    def __init__(self, vectors: Float[Tensor, "m d"]) -> None:
        self._vectors = vectors

    @cached_property
    def mean(self) -> Float[np.ndarray, " d"]:
        """Their mean; NaN if there is none."""
        total = torch.zeros(self._vectors.shape[1], dtype=torch.float64)
        for part in self._vectors.split(VECTORS_AT_ONCE):
            total += part.double().sum(0)
        return (total / len(self._vectors)).numpy()

    @cached_property
    def cut(self) -> float:
        """Where trees of vectors minus their mean are cut (see `chance_cut`)."""
        rows = torch.from_numpy(unrelated_rows(len(self._vectors)))
        return chance_cut(self._vectors[rows].double().numpy() - self.mean)
