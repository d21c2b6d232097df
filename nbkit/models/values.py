"""Activations of all units of a site in a batch of contexts, as what scans them asks for them.

A latent of a sparse autoencoder is active at one token of a hundred. So what is kept of latents are the few pairs of a
token and a latent that it activates, and never a dense tensor of contexts x tokens x latents.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nbkit.models.sign import Sign, strength

LEFT_OUT: dict[Sign, float] = {"positive": -torch.inf, "negative": torch.inf, "both": 0.0}
"""What takes the place of an activation that is left out: no other has less strength."""


class Values(Protocol):
    """The activations of `d` units in `b` contexts of `t` tokens."""

    def peaks(
        self, first: int, end: int, special: Bool[Tensor, " positions"], sign: Sign
    ) -> tuple[Float[Tensor, "b d"], Bool[Tensor, "b d"]]:
        """Each unit's largest strength in each context, in float32, and whether what it is the largest of is finite.

        Args:
            first, end: the positions among which it is looked for.
            special: which of those are left out.
            sign: what strength is: see `nbkit.models.sign`.
        """

    def traces(self, context: Int[Tensor, " n"], unit: Int[Tensor, " n"]) -> Float[Tensor, "n t"]:
        """For each pair the unit's activations on the context's tokens, in float32."""

    def at(self, context: Int[Tensor, " n"], position: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        """The activations of all units at some tokens."""


@dataclass(frozen=True, eq=False)
class DenseValues:
    """Activations that a model computes for every unit and token, (b, t, d)."""

    activations: Float[Tensor, "b t d"]

    def peaks(
        self, first: int, end: int, special: Bool[Tensor, " positions"], sign: Sign
    ) -> tuple[Float[Tensor, "b d"], Bool[Tensor, "b d"]]:
        usable = self.activations[:, first:end]
        if bool(special.any()):
            usable = usable.masked_fill(special.to(usable.device)[:, None], LEFT_OUT[sign])
        peaks = _largest_strength(usable, sign).float()
        finite = peaks.isfinite()
        if self.activations.dtype == torch.float16:  # its largest number is 65,504, and an overflow may be negative
            finite &= self.activations.isfinite().all(1)
        return peaks, finite

    def traces(self, context: Int[Tensor, " n"], unit: Int[Tensor, " n"]) -> Float[Tensor, "n t"]:
        return self.activations[context, :, unit].float()

    def at(self, context: Int[Tensor, " n"], position: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        return self.activations[context, position]


@dataclass(frozen=True, eq=False)
class SparseValues:
    """Activations of units of which few are active at a token; all others are 0, and no peak is below that."""

    shape: tuple[int, int, int]
    """(b, t, d)"""
    entry: Int[Tensor, " pairs"]
    """Of each pair of a token and a unit that isn't 0 there its place in a dense tensor, ascending."""
    value: Float[Tensor, " pairs"]

    def peaks(
        self, first: int, end: int, special: Bool[Tensor, " positions"], sign: Sign
    ) -> tuple[Float[Tensor, "b d"], Bool[Tensor, "b d"]]:
        b, t, d = self.shape
        usable = torch.zeros(t, dtype=torch.bool)
        usable[first:end] = ~special
        inside = usable.to(self.entry.device)[self._position]
        everywhere = b * bool(usable.any())  # a context without a position has no peak
        peaks = self.value.new_full((b * d,), -torch.inf)
        peaks[: everywhere * d] = 0
        peaks.scatter_reduce_(0, self._place[inside], strength(self.value[inside], sign), "amax")
        return peaks.view(b, d), peaks.view(b, d).isfinite()

    def traces(self, context: Int[Tensor, " n"], unit: Int[Tensor, " n"]) -> Float[Tensor, "n t"]:
        _, t, d = self.shape
        places, order = self._sorted
        asked = context * d + unit
        start = torch.searchsorted(places, asked)
        each = torch.searchsorted(places, asked, right=True) - start
        row = torch.arange(len(asked), device=asked.device).repeat_interleave(each)
        within = torch.arange(len(row), device=asked.device) - (each.cumsum(0) - each)[row]
        pair = order[start[row] + within]
        traces = self.value.new_zeros(len(asked), t)
        traces[row, self._position[pair]] = self.value[pair]
        return traces

    def at(self, context: Int[Tensor, " n"], position: Int[Tensor, " n"]) -> Float[Tensor, "n d"]:
        _, t, d = self.shape
        token = context * t + position
        start, stop = (torch.searchsorted(self.entry, (token + after) * d) for after in (0, 1))
        each = stop - start
        row = torch.arange(len(token), device=token.device).repeat_interleave(each)
        pair = start[row] + torch.arange(len(row), device=token.device) - (each.cumsum(0) - each)[row]
        found = self.value.new_zeros(len(token), d)
        found[row, self.entry[pair] % d] = self.value[pair]
        return found

    @cached_property
    def _position(self) -> Int[Tensor, " pairs"]:
        """The position of each pair's token in its context."""
        return self.entry // self.shape[2] % self.shape[1]

    @cached_property
    def _place(self) -> Int[Tensor, " pairs"]:
        """Context and unit of each pair, as a place in a tensor (b, d)."""
        _, t, d = self.shape
        return self.entry // (t * d) * d + self.entry % d

    @cached_property
    def _sorted(self) -> tuple[Int[Tensor, " pairs"], Int[Tensor, " pairs"]]:
        """The places in order, and the pairs in that order."""
        return self._place.sort(stable=True)


def _largest_strength(activations: Float[Tensor, "b t d"], sign: Sign) -> Float[Tensor, "b d"]:
    """Over t, without a tensor of the strengths."""
    if sign == "positive":
        return activations.amax(1)
    below = 0 - activations.amin(1)  # a zero without a sign
    return below if sign == "negative" else torch.maximum(activations.amax(1), below)
