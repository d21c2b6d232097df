"""The equations of a sparse autoencoder, for any leading dimensions: a stack of autoencoders is one computation."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def pre_activations(
    h: Float[Tensor, "... b d_in"],
    w_enc: Float[Tensor, "... d_in d_sae"],
    b_enc: Float[Tensor, "... d_sae"],
    b_dec: Float[Tensor, "... d_in"],
) -> Float[Tensor, "... b d_sae"]:
    """(h - b_dec) @ w_enc + b_enc, with b_dec @ w_enc taken into the bias: a matrix product less in the gradient."""
    return affine(h, w_enc, b_enc - (b_dec[..., None, :] @ w_enc)[..., 0, :])


def affine(x: Float[Tensor, "... b i"], w: Float[Tensor, "... i o"], b: Float[Tensor, "... o"]) -> Tensor:
    """x @ w + b in one pass."""
    return torch.addmm(b, x, w) if x.ndim == 2 else torch.baddbmm(b[..., None, :], x, w)


def activate(pre: Float[Tensor, "... b d_sae"], activation: str, k: int | None) -> Float[Tensor, "... b d_sae"]:
    """The latents of pre-activations, as they are while training."""
    if activation == "relu":
        return pre.relu()
    assert k is not None
    shape = pre.shape
    if activation == "groupmax":
        groups = pre.relu().unflatten(-1, (k, -1))
        values, places = groups.max(-1, keepdim=True)
        return torch.zeros_like(groups).scatter_(-1, places, values).view(shape)
    if activation == "batch_topk":
        k *= shape[-2]
        pre = pre.flatten(-2)
    values, places = largest(pre, k)
    return torch.zeros_like(pre).scatter_(-1, places, values).view(shape)


def largest(pre: Float[Tensor, "... m"], k: int) -> tuple[Float[Tensor, "... k"], Int[Tensor, "... k"]]:
    """The k largest of each row, 0 instead of those below, and their places, in no order."""
    values, places = pre.topk(k, dim=-1, sorted=False)
    return values.relu(), places
