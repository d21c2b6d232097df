"""Measures of single latents: how far apart the examples of each lie, what they have in common, what it reads.

A latent's *examples* are the first test inputs, in data-set order, that activate it; the embedding of an example is
h * w_enc[:, j], where h is what the encoder's weights receive (see `SparseAutoencoder.received`: b_dec is not
subtracted, but part of the bias), and distances are cosine distances (equation 3). An embedding of zeros has no
direction: it counts as distance 1 from every other; a latent none of whose examples has one, as one whose encoder
weights are zeros, has no distances (NaN). Latents are taken in groups, so that no tensor of
inputs x latents x d_in is ever made; float64 throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from nbkit.sae.pairs import Pairs

GROUP = 2**20
"""Numbers in a tensor of a group of latents."""


@dataclass(frozen=True, eq=False)
class Examples:
    """The examples of every latent, one after the other: those of latent j are rows offsets[j] to offsets[j + 1]."""

    offsets: Int[Tensor, " m+1"]
    inputs: Int[Tensor, " rows"]
    """Places in the test set, in order."""
    activations: Float[Tensor, " rows"]

    @classmethod
    def of_places(cls, places: Sequence[Int[np.ndarray, " size"]]) -> Examples:
        """Given inputs of each latent as its examples; the activations are not known (NaN)."""
        offsets = torch.tensor([0, *np.cumsum([len(row) for row in places])])
        inputs = torch.from_numpy(np.concatenate([np.empty(0, dtype=np.int64), *places]))
        return cls(offsets, inputs, torch.full((len(inputs),), torch.nan))

    def of(self, latent: int) -> slice:
        """The rows of one latent."""
        return slice(int(self.offsets[latent]), int(self.offsets[latent + 1]))

    @property
    def sizes(self) -> Int[Tensor, " m"]:
        """How many examples each latent has."""
        return self.offsets.diff()


class ExampleCollector:
    """Keeps the first examples of every latent while batches pass."""

    def __init__(self, m: int, max_examples: int) -> None:
        self.count = torch.zeros(m, dtype=torch.long)
        """How many inputs activated each latent so far."""
        self._max_examples = max_examples
        self._kept: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, pairs: Pairs, start: int) -> None:
        """Takes the next batch, whose first input is input `start`."""
        keep = pairs.earlier + self.count.to(pairs.latent.device)[pairs.latent] < self._max_examples
        rows = (pairs.latent[keep], pairs.input[keep] + start, pairs.activation[keep])
        self._kept.append((rows[0].cpu(), rows[1].cpu(), rows[2].cpu()))
        self.count += pairs.n_active.cpu()

    def examples(self) -> Examples:
        """What was kept."""
        latents, inputs, activations = (torch.cat(parts) for parts in zip(*self._kept, strict=True))
        order = latents.argsort(stable=True)  # the inputs of a latent stay in order
        counts = torch.bincount(latents, minlength=len(self.count))
        offsets = torch.cat([torch.zeros(1, dtype=torch.long), counts.cumsum(0)])
        return Examples(offsets, inputs[order], activations[order])


class Monosemanticity:
    """The monosemanticity score of each latent (Pach et al. 2025), summed up while batches pass.

    The mean cosine similarity of all pairs of images, weighted by the product of the latent's activations, which are
    brought to [0, 1] by its smallest and largest. With a for the activations and x for the images' unit vectors,
    (|sum a x|^2 - sum a^2) / ((sum a)^2 - sum a^2).
    """

    def __init__(self, m: int, n_pixels: int) -> None:
        self._weighted = torch.zeros(m, n_pixels, dtype=torch.float64)
        self._unweighted = torch.zeros(n_pixels, dtype=torch.float64)
        self._sum, self._squares = torch.zeros(m, dtype=torch.float64), torch.zeros(m, dtype=torch.float64)
        self._smallest = torch.full((m,), torch.inf, dtype=torch.float64)
        self._n = 0

    def add(self, pairs: Pairs, images: Float[Tensor, "b p"]) -> None:
        """Takes a batch; no image may be all zeros."""
        x, a = normalize(images.to(pairs.z.device).double(), dim=1, eps=0), pairs.activation.double()
        self._weighted += pairs.sums(x, a).cpu()
        self._unweighted += x.sum(0).cpu()
        self._sum += torch.zeros_like(self._sum, device=a.device).index_add_(0, pairs.latent, a).cpu()
        self._squares += torch.zeros_like(self._sum, device=a.device).index_add_(0, pairs.latent, a * a).cpu()
        self._smallest = torch.minimum(self._smallest, pairs.z.amin(0).double().cpu())
        self._n += len(images)

    def scores(self) -> Float[Tensor, " m"]:
        """NaN for a latent without two activations above its smallest."""
        low = self._smallest.clamp_min(0)  # above 0 only for a latent that every input activates
        total = self._sum - self._n * low
        squares = self._squares - 2 * low * self._sum + self._n * low.square()
        lengths = (self._weighted - low[:, None] * self._unweighted).square().sum(1)
        pairs = total.square() - squares
        # below this share nothing but rounding errors is left
        return ((lengths - squares) / pairs).where(pairs > 1e-9 * total.square(), torch.nan)


def example_distances(
    test: Float[Tensor, "n d_in"], w_enc: Float[Tensor, "d_in m"], examples: Examples
) -> tuple[Float[Tensor, " m"], Float[Tensor, " m"]]:
    """The largest and the mean cosine distance over the pairs of each latent's examples.

    NaN below two examples, and where no example's embedding has a direction.
    """
    sizes = examples.sizes
    largest, mean = (torch.full(sizes.shape, torch.nan, dtype=torch.float64) for _ in range(2))
    order = sizes.argsort(descending=True)  # latents of like sizes together: little of a group is padding
    order = order[sizes[order] >= 2]
    while len(order):
        size = int(sizes[order[0]])
        n_latents = max(1, GROUP // (size * max(size, len(w_enc))))
        group, order = order[:n_latents], order[n_latents:]
        real = torch.arange(size) < sizes[group, None]
        rows = torch.where(real, examples.offsets[group, None] + torch.arange(size), 0)
        h = test[examples.inputs[rows].to(test.device)].double()  # (latents, size, d_in)
        unit = normalize(h * w_enc.T[group.to(w_enc.device), None].to(h), dim=2, eps=torch.finfo(h.dtype).tiny).cpu()
        pairs = real[:, :, None] & real[:, None, :] & ~torch.eye(size, dtype=torch.bool)
        distances = (1 - unit @ unit.mT).clamp_(0, 2).masked_fill_(~pairs, 0)
        directed = (unit.any(2) & real).any(1)
        largest[group] = distances.amax((1, 2)).where(directed, torch.nan)
        mean[group] = (distances.sum((1, 2)) / pairs.sum((1, 2))).where(directed, torch.nan)
    return largest, mean


def purities(examples: Examples, labels: Int[Tensor, " n"]) -> Float[Tensor, " m"]:
    """The share of each latent's examples that belongs to its commonest class; NaN without examples."""
    classes, number = labels.unique(return_inverse=True)
    m, n_classes = len(examples.sizes), len(classes)
    latent = torch.repeat_interleave(torch.arange(m), examples.sizes)
    table = torch.bincount(latent * n_classes + number[examples.inputs], minlength=m * n_classes).view(m, n_classes)
    shares: Tensor = table.amax(1).double() / examples.sizes
    return shares


def participation(weights: Float[Tensor, "d_in m"]) -> Float[Tensor, " m"]:
    """How many inputs a latent reads: (sum w^2)^2 / sum w^4, 1 for one input, d_in for all alike.

    Weights are best scaled by the inputs' standard deviations. A latent that reads one input only has parallel
    embeddings, so that all distances are 0 whatever activates it. NaN for a latent without weights.
    """
    squares = weights.double()
    squares = (squares / squares.abs().amax(0)).square()
    found: Tensor = squares.sum(0).square() / squares.square().sum(0)
    return found


CONTROL_INPUTS = 100
"""Test inputs, drawn at random, whose distances in a latent's space are the control."""


@torch.inference_mode()
def control_distances(
    w_enc: Float[Tensor, "d_in m"], test: Float[Tensor, "n_test d_in"], seed: int = 0
) -> Float[np.ndarray, " m"]:
    """The mean cosine distance of random test inputs embedded with each latent's weights, whether they activate it.

    It tells what a latent's mean distance is worth: a latent that reads a single input has parallel embeddings, and
    all distances are 0 whatever activates it. Inputs whose embedding is zero have no direction and don't count; NaN
    where fewer than two are left.
    """
    chosen = torch.randperm(len(test), generator=torch.Generator().manual_seed(seed))[:CONTROL_INPUTS]
    h, w = test[chosen].double(), w_enc.double()
    lengths = (h.square() @ w.square()).sqrt()  # of h * w, for every input and latent
    sums = w.T * ((1 / lengths).where(lengths > 0, 0).T @ h)  # of the unit vectors
    n = (lengths > 0).sum(0)
    pairs = (n * (n - 1)).double()
    cosine = (sums.square().sum(1) - n) / pairs
    distances: np.ndarray = (1 - cosine).clamp(0, 2).where(n >= 2, torch.nan).cpu().numpy()
    return distances
