"""The pairs of an input and a latent that it activates: few of all, since latents are sparse.

What concerns active latents alone is a sum or an inner product over pairs, whose cost is that of the pairs and not that
of batch x latents. PyTorch has a fast operator for each: `embedding_bag` sums weighted rows, and `sampled_addmm`
computes chosen entries of a matrix product.
"""

from __future__ import annotations

import warnings
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding_bag

FEW_PAIRS = 1 / 16
"""Density up to which going through the pairs is faster than whole matrix products. By size and threads that is at
1/60 (a small autoencoder alone, where the two are within a tenth up to here) to 1/5."""

with warnings.catch_warnings(action="ignore"):  # at the first sparse tensor PyTorch says that they are in beta
    torch.sparse_csr_tensor([0, 0], [], [], (1, 1), check_invariants=False)


class Pairs:
    """The pairs of a batch, latent by latent, and the inputs of each in order.

    The latents of a stack are counted through, and so are its inputs.
    """

    def __init__(self, z: Float[Tensor, "*stack b d_sae"]) -> None:
        """The pairs of latents `z`, which are active where they are positive."""
        self.z = z.detach()
        *stack, self._b, self._d_sae = z.shape
        self._n_saes = stack[0] if stack else 1

    @cached_property
    def few(self) -> bool:
        """Whether it is faster to go through the pairs than to compute whole matrix products."""
        able = self.z.is_cpu and self.z.dtype in (torch.float32, torch.float64)
        return able and len(self._entries) <= FEW_PAIRS * self.z.numel()

    @cached_property
    def latent(self) -> Int[Tensor, " pairs"]:
        """The latent of each pair."""
        return self._latents[self._order]

    @cached_property
    def input(self) -> Int[Tensor, " pairs"]:
        """The input of each pair."""
        return self._inputs[self._order]

    @cached_property
    def starts(self) -> Int[Tensor, " latents+1"]:
        """The first pair of each latent, and the number of pairs."""
        return _starts(self.latent, self._n_saes * self._d_sae)

    @cached_property
    def n_active(self) -> Int[Tensor, " latents"]:
        """How many inputs activate each latent."""
        return self.starts[1:] - self.starts[:-1]

    @cached_property
    def activation(self) -> Float[Tensor, " pairs"]:
        """How much the input of each pair activates its latent."""
        return self.of(self.z)

    @property
    def earlier(self) -> Int[Tensor, " pairs"]:
        """How many earlier inputs activate the latent of a pair."""
        return torch.arange(len(self.latent), device=self.latent.device) - self.starts.take(self.latent)

    @property
    def later(self) -> Int[Tensor, " pairs"]:
        """How many later inputs activate the latent of a pair."""
        places = torch.arange(1, len(self.latent) + 1, device=self.latent.device)
        return self.starts[1:].take(self.latent).sub_(places)  # half the time of an index

    def of(self, table: Float[Tensor, "*stack b d_sae"]) -> Float[Tensor, " pairs"]:
        """The entry of each pair."""
        return table.take(self._entry)

    def products(self, a: Float[Tensor, "latents d_in"], h: Float[Tensor, "*stack b d_in"]) -> Float[Tensor, " pairs"]:
        """For each pair the inner product of the latent's row of `a` and the input's of `h`."""
        if self.few:
            chosen: Tensor = torch.sparse.sampled_addmm(self._pattern, a, h.flatten(0, -2).mT, beta=0.0).values()
            return chosen
        return self.of(h @ a.view(*h.shape[:-2], self._d_sae, -1).mT)

    def sums(
        self, h: Float[Tensor, "*stack b d_in"], weights: Float[Tensor, " pairs"]
    ) -> Float[Tensor, "latents d_in"]:
        """For each latent the weighted sum of its inputs."""
        return _sums(h.flatten(0, -2), self.input, self.starts, weights)

    def mixtures(self, a: Float[Tensor, "latents d_in"]) -> Float[Tensor, "inputs d_in"]:
        """For each input the sum of its latents' rows of `a`, weighted by the latents."""
        starts = _starts(self._inputs, self._n_saes * self._b)
        return _sums(a, self._latents, starts, self.z.take(self._entries))

    # The names with an underscore are in the order of the batch, input by input, but for _entry.

    @cached_property
    def _entries(self) -> Int[Tensor, " pairs"]:
        """Places in the flattened latents; looked for when first asked for, since a GPU waits for their number."""
        active = self.z.relu().bool()  # half the time of z > 0
        if active.is_cpu:  # a quarter of the time
            return torch.from_numpy(np.flatnonzero(active.numpy()))
        return active.flatten().nonzero()[:, 0]

    @cached_property
    def _inputs(self) -> Int[Tensor, " pairs"]:
        return self._entries // self._d_sae

    @cached_property
    def _latents(self) -> Int[Tensor, " pairs"]:
        latents = self._entries % self._d_sae
        return latents if self._n_saes == 1 else latents + self._inputs // self._b * self._d_sae

    @cached_property
    def _order(self) -> Int[Tensor, " pairs"]:
        return self._latents.argsort(stable=True)

    @cached_property
    def _entry(self) -> Int[Tensor, " pairs"]:
        return self._entries[self._order]

    @cached_property
    def _pattern(self) -> Tensor:
        """A sparse matrix of latents x inputs with an entry for each pair."""
        size = self._n_saes * self._d_sae, self._n_saes * self._b
        zeros = self.z.new_zeros(len(self.input))
        return torch.sparse_csr_tensor(self.starts, self.input, zeros, size, check_invariants=False)


def _starts(ordered: Int[Tensor, " pairs"], n: int) -> Int[Tensor, " n+1"]:
    """Where each number below n begins, and the end."""
    return torch.searchsorted(ordered, torch.arange(n + 1, device=ordered.device))


def _sums(
    rows: Float[Tensor, "n d"], chosen: Int[Tensor, " pairs"], starts: Tensor, weights: Float[Tensor, " pairs"]
) -> Tensor:
    """Weighted sums of chosen rows, one from each start to the next."""
    return embedding_bag(chosen, rows, starts, mode="sum", per_sample_weights=weights, include_last_offset=True)
