"""Layer norms of every make, read by what they do: LayerNorm or RMSNorm, with or without weights, from 0 or from 1."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nbkit.models.trace import in_float32
from nbkit.models.weights import as_float, relative_error

EXACT = 1e-4
"""Largest relative error that rounding in float32 explains."""


@dataclass(frozen=True)
class Norm:
    """A layer norm: output = normalized * scale + shift, where normalized has a mean square of 1."""

    scale: Float[Tensor, " d_model"]
    shift: Float[Tensor, " d_model"]
    centered: bool
    """Whether it takes the mean away first (LayerNorm), or not (RMSNorm)."""


def read_norm(module: nn.Module, width: int) -> Norm | None:
    """What a module multiplies by and adds, if it is a layer norm; checked on random vectors.

    None if it is anything else.
    """
    weight, bias = (getattr(module, name, None) for name in ("weight", "bias"))
    if any(tensor is not None and tensor.shape != (width,) for tensor in (weight, bias)):
        return None
    # Long vectors, beside which the small number that keeps a norm from dividing by 0 is nothing.
    vectors = 1e3 * torch.randn(64, width, generator=torch.Generator().manual_seed(0))
    try:
        own = in_float32(module, vectors.device)
        with torch.inference_mode():
            output = own(vectors)
    except Exception:  # whatever it takes, it doesn't take vectors
        return None
    if not isinstance(output, Tensor) or output.shape != vectors.shape:
        return None
    weight, bias = (getattr(own, name, None) for name in ("weight", "bias"))
    shift = torch.zeros(width) if bias is None else as_float(bias)
    for centered in (True, False):
        moved = vectors - vectors.mean(1, keepdim=True) if centered else vectors
        normalized = moved / moved.square().mean(1, keepdim=True).sqrt()
        # Some models store how far the scale is from 1.
        for scale in [torch.ones(width)] if weight is None else [as_float(weight), 1 + as_float(weight)]:
            if relative_error(normalized * scale + shift, output) <= EXACT:
                return Norm(scale, shift, centered)
    return None
