"""Two published remedies against dead latents: resampling and an auxiliary loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from nbkit.sae.training_run import Pass


@torch.no_grad()
def resample(
    weights: Mapping[str, Tensor],
    averages: Sequence[Mapping[str, Tensor]],
    h: Float[Tensor, "b d_in"],
    error: Float[Tensor, "b d_in"],
    silent: Bool[Tensor, " d_sae"],
    length: float,
    generator: torch.Generator,
) -> None:
    """Bricken et al. 2023: silent latents become inputs, each drawn by the square of its loss. Changes the weights.

    In the published recipe `b_dec` begins as the median of the inputs, so that inputs less `b_dec` are centered; here
    an input stands for its difference from the batch's mean, at which a new latent's pre-activation is 0.

    Args:
        weights: of one autoencoder: `w_enc`, `b_enc`, `w_dec`, `b_dec`.
        averages: Adam's, by the same names: those of the new latents begin at 0.
        h: inputs to draw from.
        error: reconstruction minus input.
        silent: which latents are made anew; not all.
        length: of the new encoder weights, by the mean length of the others (published: 0.2). The new decoder weights
            are as long as the mean of the others.
        generator: of the draw.
    """
    new, center = silent.nonzero()[:, 0], h.mean(0)
    drawn = torch.multinomial(error.square().sum(-1).square(), len(new), replacement=True, generator=generator)
    direction = normalize(h[drawn] - center, dim=1)
    w_enc, w_dec = weights["w_enc"], weights["w_dec"]
    w_enc[:, new] = (length * w_enc[:, ~silent].norm(dim=0).mean() * direction).T
    w_dec[new] = w_dec[~silent].norm(dim=1).mean() * direction
    weights["b_enc"][new] = (weights["b_dec"] - center) @ w_enc[:, new]
    for average in averages:
        average["w_enc"][:, new] = 0
        average["w_dec"][new] = 0
        average["b_enc"][new] = 0


def auxiliary_loss(
    state: Pass, w_dec: Float[Tensor, "*stack d_sae d_in"], silent: Bool[Tensor, "*stack d_sae"]
) -> Float[Tensor, "*stack"]:
    """Gao et al. 2024: how badly silent latents reconstruct what the autoencoder misses.

    For each input the d_in / 2 silent latents of the highest pre-activations are taken, without the ReLU, which would
    let no gradient through. The squared error is divided by the square of what is missing and multiplied by the mean
    square of the inputs: in the paper both losses are relative, so 1 of theirs is that much mean squared error here.

    Args:
        state: of the batch.
        w_dec: the decoder.
        silent: which latents are.
    """
    k = min(max(state.h.shape[-1] // 2, 1), silent.shape[-1])
    values, places = state.pre.masked_fill(~silent[..., None, :], -torch.inf).topk(k, dim=-1)
    latents = torch.zeros_like(state.pre).scatter(-1, places, values.where(values.isfinite(), 0))
    missing = -state.error.detach()
    left = (latents @ w_dec - missing).square().sum((-2, -1)) / missing.square().sum((-2, -1))
    loss: Tensor = left * state.h.square().mean((-2, -1)) * silent.any(-1)
    return loss
