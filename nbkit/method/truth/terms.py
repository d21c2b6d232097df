"""What merged units are made of: units of one layer, plain or gated, whose parts of a sum are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_array


@runtime_checkable
class Terms(Protocol):
    """Units of one layer, of which some are added up."""

    @property
    def shape(self) -> tuple[int, ...]:
        """How many units there are, and the width of what they read."""
        ...

    def parts(self, h: Float[np.ndarray, "n d"], chosen: Int[np.ndarray, " k"]) -> Float[np.ndarray, "n k"]:
        """What each of the chosen units adds where it reads h."""
        ...

    def weights(
        self, h: Float[np.ndarray, "n d"], chosen: Int[np.ndarray, " k"], factors: Float[np.ndarray, " k"]
    ) -> Float[np.ndarray, " d"]:
        """The weights with which the sum of the chosen units, each times its factor, reads h: the same for all of them,
        so that they tell nothing of one example."""
        ...


@dataclass(frozen=True, eq=False)
class PlainTerms:
    """Units that add their pre-activations h · w, so that the sum reads with the sum of their weights."""

    w: Float[np.ndarray, "m d"]

    def __post_init__(self) -> None:
        object.__setattr__(self, "w", _matrix(self.w))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.w.shape

    def parts(self, h: Float[np.ndarray, "n d"], chosen: Int[np.ndarray, " k"]) -> Float[np.ndarray, "n k"]:
        parts: Float[np.ndarray, "n k"] = h @ self.w[chosen].T
        return parts

    def weights(
        self, h: Float[np.ndarray, "n d"], chosen: Int[np.ndarray, " k"], factors: Float[np.ndarray, " k"]
    ) -> Float[np.ndarray, " d"]:
        weights: Float[np.ndarray, " d"] = factors @ self.w[chosen]
        return weights


@dataclass(frozen=True, eq=False)
class GatedTerms:
    """Gated units that add their activations act(h · w_gate) * (h · w_in), so that the sum reads with its gradient.

    The gradient is another one at each h, and tells which unit is open without a look at h itself: it would give away
    the label. So the weights are its mean.
    """

    w_gate: Float[np.ndarray, "m d"]
    w_in: Float[np.ndarray, "m d"]
    activation: Callable[[Tensor], Tensor]
    """Any element-wise PyTorch function."""
    b_gate: Float[np.ndarray, " m"] | None = None
    """Biases; None for zeros."""
    b_in: Float[np.ndarray, " m"] | None = None

    def __post_init__(self) -> None:
        gate, up = _matrix(self.w_gate), _matrix(self.w_in)
        if gate.shape != up.shape:
            raise NbkitError(f"Gates of shape {gate.shape} and input weights of shape {up.shape}: give one for each.")
        object.__setattr__(self, "w_gate", gate)
        object.__setattr__(self, "w_in", up)
        for name in ("b_gate", "b_in"):
            if (given := getattr(self, name)) is not None:
                b = checked_array(given, "The biases")
                if b.shape != gate.shape[:1]:
                    raise NbkitError(f"Biases of shape {b.shape} for {len(gate)} units: give one for each.")
                object.__setattr__(self, name, b)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.w_in.shape

    def parts(self, h: Float[np.ndarray, "n d"], chosen: Int[np.ndarray, " k"]) -> Float[np.ndarray, "n k"]:
        return self._parts(torch.from_numpy(np.array(h)), chosen).numpy()

    def weights(
        self, h: Float[np.ndarray, "n d"], chosen: Int[np.ndarray, " k"], factors: Float[np.ndarray, " k"]
    ) -> Float[np.ndarray, " d"]:
        with torch.enable_grad():  # a caller may be under no_grad
            read = torch.from_numpy(np.array(h)).requires_grad_()
            total = self._parts(read, chosen) @ torch.from_numpy(factors).to(read)
            (gradient,) = torch.autograd.grad(total.mean(), read)  # of each example's own vector alone, over n
        return gradient.sum(dim=0).numpy()

    def _parts(self, h: Float[Tensor, "n d"], chosen: Int[np.ndarray, " k"]) -> Float[Tensor, "n k"]:
        gate, up = (h @ torch.from_numpy(w[chosen]).to(h).T for w in (self.w_gate, self.w_in))
        gate, up = (
            x if b is None else x + torch.from_numpy(b[chosen]).to(h) for x, b in ((gate, self.b_gate), (up, self.b_in))
        )
        return self.activation(gate) * up


def _matrix(weights: object) -> Float[np.ndarray, "m d"]:
    checked = checked_array(weights, "The weights")
    if checked.ndim != 2:
        raise NbkitError(f"Weights of shape {checked.shape}: give (m, d), a row for each unit.")
    return checked
