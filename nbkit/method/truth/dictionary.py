"""A dictionary of features learned from a background alone: a small TopK autoencoder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nbkit.method.checks import checked_seed, checked_whole
from nbkit.method.truth.unit import Background, Features


@dataclass(frozen=True, eq=False)
class Dictionary:
    """Features learned from a background (Gao et al. 2024, without their auxiliary loss)."""

    encoder: Float[Tensor, "d f"]
    bias: Float[Tensor, " f"]
    directions: Float[Tensor, "f d"]
    """Of length 1."""
    center: Float[Tensor, " d"]
    k: int
    """Most features of an example."""

    def features(self, read: Float[np.ndarray, "n d"]) -> Features:
        """The features of some vectors."""
        codes = _encoded(torch.from_numpy(read).float() - self.center, self.encoder, self.bias, self.k)
        return Features(codes.numpy(), self.directions.numpy())

    def unexplained(self, read: Float[np.ndarray, "n d"]) -> float:
        """The share of the variance of some vectors that the features do not give back."""
        known = self.features(read)
        missed = read - self.center.numpy() - known.codes @ known.directions
        return float((missed**2).sum() / ((read - read.mean(axis=0)) ** 2).sum())


@lru_cache(maxsize=16)
def learned_dictionary(
    background: Background, n_features: int, k: int, steps: int = 2_000, seed: int = 0
) -> Dictionary:
    """Train a TopK autoencoder on a background; once for each background and options.

    Args:
        background: what it sees; no unit, no label.
        n_features: the size of the dictionary.
        k: most features of an example.
        steps: training steps, of 256 vectors each.
        seed: of initial weights and batches.

    Raises:
        NbkitError: an option is out of range.
    """
    n_features, steps = checked_whole("n_features", n_features, 1), checked_whole("steps", steps, 0)
    k = checked_whole("k", k, 1, n_features)
    generator = torch.Generator().manual_seed(checked_seed(seed))
    vectors = torch.from_numpy(background.vectors).float()
    center = vectors.mean(dim=0).requires_grad_()
    start = torch.randn(n_features, vectors.shape[1], generator=generator)
    directions = (start / start.norm(dim=1, keepdim=True)).requires_grad_()
    encoder = directions.detach().T.clone().requires_grad_()
    bias = torch.zeros(n_features, requires_grad=True)
    optimizer = torch.optim.Adam([center, directions, encoder, bias], lr=3e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=max(steps, 1))
    for _ in range(steps):
        batch = vectors[torch.randint(len(vectors), (256,), generator=generator)]
        codes = _encoded(batch - center, encoder, bias, k)
        loss = (codes @ directions + center - batch).square().sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            directions /= directions.norm(dim=1, keepdim=True)
    return Dictionary(encoder.detach(), bias.detach(), directions.detach(), center.detach(), k)


def _encoded(
    centered: Float[Tensor, "n d"], encoder: Float[Tensor, "d f"], bias: Float[Tensor, " f"], k: int
) -> Float[Tensor, "n f"]:
    codes = torch.relu(centered @ encoder + bias)
    top = codes.topk(k, dim=1)
    return torch.zeros_like(codes).scatter(1, top.indices, top.values)
