"""A pass through sparse autoencoders for which the inactive latents cost nothing but the encoder's product.

Of the five matrix products of a training step, the encoder's tells which latents are active. The other four, of the
reconstruction and of the gradients of latents, encoder and decoder, run over the pairs of an input and a latent that it
activates.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from nbkit.sae.pairs import Pairs


class SparsePass(torch.autograd.Function):
    """Latents and error (reconstruction minus input) as functions of the weights."""

    @staticmethod
    def forward(
        ctx: Any,
        h: Float[Tensor, "*stack b d_in"],
        pairs: Pairs,
        w_enc: Float[Tensor, "*stack d_in d_sae"],
        b_enc: Float[Tensor, "*stack d_sae"],
        w_dec: Float[Tensor, "*stack d_sae d_in"],
        b_dec: Float[Tensor, "*stack d_in"],
    ) -> tuple[Float[Tensor, "*stack b d_sae"], Float[Tensor, "*stack b d_in"]]:
        """Of a batch whose latents are known."""
        ctx.pairs = pairs
        ctx.save_for_backward(h, w_enc, w_dec, b_dec)
        reconstruction = pairs.mixtures(w_dec.flatten(0, -2)).view_as(h).add_(b_dec[..., None, :])
        return pairs.z.view_as(pairs.z), reconstruction.sub_(h)

    @staticmethod
    def backward(
        ctx: Any, d_z: Float[Tensor, "*stack b d_sae"], d_error: Float[Tensor, "*stack b d_in"]
    ) -> tuple[Tensor | None, ...]:
        """The gradients, given those of latents and error."""
        pairs: Pairs = ctx.pairs
        h, w_enc, w_dec, b_dec = ctx.saved_tensors
        d_active = pairs.products(w_dec.flatten(0, -2), d_error).add_(pairs.of(d_z))
        d_w_enc = pairs.sums(h - b_dec[..., None, :], d_active).view_as(w_dec).mT
        d_b_enc = torch.zeros_like(w_dec[..., 0]).flatten().index_add_(0, pairs.latent, d_active)
        d_b_enc = d_b_enc.view(w_dec.shape[:-1])
        d_w_dec = pairs.sums(d_error, pairs.activation).view_as(w_dec)
        d_b_dec = d_error.sum(-2) - (w_enc @ d_b_enc[..., None])[..., 0]
        return None, None, d_w_enc, d_b_enc, d_w_dec, d_b_dec
