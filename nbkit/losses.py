"""The neuron-embedding loss of a sparse autoencoder (section 3.3.2, equations 4 to 6).

For every input h of a batch and every latent j that it activates and that was active in an earlier batch, the cosine
distance of two neuron embeddings: of h, and of the average a of the inputs that activated the latent before,

    1 - cos(a * w, h * w),   w = w_enc[:, j].

No tensor of batch x latents x d_in is needed, since the three sums are matrix products:

    (a * w) . (h * w) = h . (a * w^2),   |h * w|^2 = h^2 . w^2,   |a * w|^2 = a^2 . w^2.

The average takes the inputs of a batch one by one, a <- m a + (1 - m) h (equation 6), which has a closed form: of n
active inputs the i-th enters with the weight (1 - m) m^(n - i), and the old average with m^n. A latent's first input
ever is its first average, so it enters with m^(n - 1).
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from nbkit.errors import NbkitError


class NeuronEmbeddingLoss(nn.Module):
    """Equations 4 and 6. Call it on a batch, then `update` it with the same batch.

    The state is a buffer: it moves, saves and loads with the module, and takes no gradient.
    """

    average: Tensor
    """(d_in, d_sae) for each latent the average of the inputs that activated it; zero before the first."""
    seen: Tensor
    """(d_sae,) whether there was one."""

    def __init__(self, d_in: int, d_sae: int, momentum: float = 0.9, n_saes: int | None = None) -> None:
        """A fresh state.

        Args:
            d_in: width of the inputs.
            d_sae: number of latents.
            momentum: m of equation 6, in [0, 1).
            n_saes: for a stack of autoencoders their number: then every tensor below has one dimension more in front,
                and the loss is one number for each.

        Raises:
            NbkitError: a size below 1 or a momentum outside [0, 1).
        """
        super().__init__()
        if d_in < 1 or d_sae < 1:
            raise NbkitError(f"d_in is {d_in} and d_sae is {d_sae}: both must be at least 1.")
        if not 0 <= momentum < 1:
            raise NbkitError(f"The momentum is {momentum}: choose one in [0, 1).")
        self.momentum = momentum
        stack = () if n_saes is None else (n_saes,)
        self.register_buffer("average", torch.zeros(*stack, d_in, d_sae))
        self.register_buffer("seen", torch.zeros(*stack, d_sae, dtype=torch.bool))

    def forward(
        self, h: Float[Tensor, "b d_in"], z: Float[Tensor, "b d_sae"], w_enc: Float[Tensor, "d_in d_sae"]
    ) -> Float[Tensor, ""]:
        """Equation 4: the sum of the distances over the pairs of an input and a latent that it activates.

        A pair whose embedding is all zeros has no direction: its distance is 1 and its gradient 0.

        Args:
            h: (b, d_in) what the autoencoder read.
            z: (b, d_sae) its latents; a latent is active where it is positive.
            w_enc: (d_in, d_sae) its encoder's weights, the only argument that takes a gradient.

        Raises:
            NbkitError: the shapes don't fit.
        """
        self._check(h, z, w_enc)
        active = (z > 0) & self.seen[..., None, :]
        total: Tensor = _DistanceSum.apply(h.detach(), active, w_enc, self.average)  # type: ignore[no-untyped-call]
        return total

    @torch.no_grad()
    def update(self, h: Float[Tensor, "b d_in"], z: Float[Tensor, "b d_sae"]) -> None:
        """Equation 6 for each input of the batch, in order.

        Raises:
            NbkitError: the shapes don't fit.
        """
        self._check(h, z)
        active = z > 0
        later, n_active = _active_later(active, h.dtype)
        n_old = n_active - (~self.seen).to(h.dtype)  # a first input takes the place of an old average
        keep = self.momentum ** n_old.clamp_min(0)
        weights = self.momentum**later * (1 - self.momentum)
        first = ~self.seen[..., None, :] & (later == (n_active - 1)[..., None, :])
        weights = torch.where(first, keep[..., None, :], weights).masked_fill_(~active, 0)
        self.average.mul_(keep[..., None, :]).add_(h.mT @ weights)
        self.seen |= n_active > 0

    def _check(self, h: Tensor, z: Tensor, w_enc: Tensor | None = None) -> None:
        *stack, d_in, d_sae = self.average.shape
        b = h.shape[-2] if h.ndim > 1 else 0
        wanted = {"h": (h, (*stack, b, d_in)), "z": (z, (*stack, b, d_sae))}
        if w_enc is not None:
            wanted["w_enc"] = (w_enc, (*stack, d_in, d_sae))
        for name, (tensor, shape) in wanted.items():
            if tuple(tensor.shape) != shape:
                raise NbkitError(f"{name} has shape {tuple(tensor.shape)}: this loss needs {shape}.")


class _DistanceSum(torch.autograd.Function):
    """Equation 4 over the pairs `active`, with its gradient by hand: nothing of a batch's size is kept for it."""

    @staticmethod
    def forward(
        ctx: Any,
        h: Float[Tensor, "... b d_in"],
        active: Bool[Tensor, "... b d_sae"],
        w: Float[Tensor, "... d_in d_sae"],
        a: Float[Tensor, "... d_in d_sae"],
    ) -> Float[Tensor, "*stack"]:
        tiny = torch.finfo(h.dtype).tiny
        w2, h2 = w * w, h * h
        inverse = h2 @ w2  # |h * w|^2 of every pair
        inverse.clamp_min_(tiny).reciprocal_()
        a_norm2 = (a * a * w2).sum(-2).clamp_min_(tiny)
        scale = inverse.sqrt().mul_(a_norm2.rsqrt()[..., None, :]).mul_(active)  # one over both norms
        cosine = (h @ (a * w2)).mul_(scale)
        total = active.sum((-2, -1)) - cosine.sum((-2, -1))
        if ctx.needs_input_grad[2]:
            by_a = cosine.sum(-2).div_(a_norm2)  # with respect to |a * w|^2, as the next by h * w
            by_h = inverse.mul_(cosine)
            gradient = (a * a).mul_(by_a[..., None, :]).add_(h2.mT @ by_h)  # with respect to w^2, times 2
            gradient.sub_((h.mT @ scale).mul_(a), alpha=2)
            ctx.save_for_backward(gradient.mul_(w))
        return total

    @staticmethod
    def backward(ctx: Any, upstream: Float[Tensor, "*stack"]) -> tuple[None, None, Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return None, None, gradient * upstream[..., None, None], None


def _active_later(active: Bool[Tensor, "... b d_sae"], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """For each input and latent how many later inputs activate the latent, and (..., d_sae) how many inputs do."""
    so_far = active.to(dtype).cumsum(-2)
    n_active = so_far[..., -1, :].clone()
    return n_active[..., None, :] - so_far, n_active
