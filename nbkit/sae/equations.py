"""The equations of a sparse autoencoder, for any leading dimensions: a stack of autoencoders is one computation."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

NORM_EPSILON = 1e-5
"""What SAELens adds to the standard deviation that a layer norm divides by."""


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


def normalized(h: Float[Tensor, "b d_in"], kind: str) -> tuple[Tensor, Tensor, Tensor]:
    """Normalized inputs, and the scale and the mean that bring the output back; an input of zeros stays one.

    Args:
        kind: see `Architecture.normalize_activations`.
    """
    one, zero = h.new_ones(()), h.new_zeros(())
    if kind == "constant_norm_rescale":
        norm = h.norm(dim=1, keepdim=True)
        scale = norm.where(norm > 0, 1) / h.shape[1] ** 0.5
        return h / scale, scale, zero
    if kind == "layer_norm":
        mean = h.mean(1, keepdim=True)
        deviation = (h - mean).std(1, keepdim=True)
        return (h - mean) / (deviation + NORM_EPSILON), deviation, mean
    return h, one, zero
