"""The neuron-embedding loss of a sparse autoencoder (section 3.3.2, equations 4 to 6).

For every input h of a batch and every latent j that it activates and that was active in an earlier batch, the cosine
distance of two neuron embeddings: of h, and of the average a of the inputs that activated the latent before,

    1 - cos(a * w, h * w),   w = w_enc[:, j].

No tensor of batch x latents x d_in is needed. With * element by element,

    (a * w) . (h * w) = h . (a * w^2),   |h * w|^2 = h^2 . w^2,   |a * w|^2 = a^2 . w^2,

so the distances are inner products, and their gradient and the average are weighted sums of the inputs that activate a
latent: few, since latents are sparse (`nbkit.sae.pairs`).

The average takes the inputs of a batch one by one, a <- m a + (1 - m) h (equation 6), which has a closed form: of n
active inputs the i-th enters with the weight (1 - m) m^(n - i), and the old average with m^n. A latent's first input
ever is its first average, so it enters with m^(n - 1).
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.linalg import vecdot

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_number, checked_whole, shown
from nbkit.sae.architecture import WIDEST
from nbkit.sae.pairs import Pairs
from nbkit.sae.tensors import as_tensor

Over = Literal["pairs", "latents"]
Gradient = Literal["whole", "average", "opposite"]


class NeuronEmbeddingLoss(nn.Module):
    """Equations 4 and 6. Call it on a batch, then `update` it with the same batch.

    The state is a buffer: it moves, saves and loads with the module, and takes no gradient. It is float32, or float64
    after `double()`, and everything is computed in its precision: what is given in another is converted. A module in
    half precision keeps it in float32, since an average would stop where a step is less than its last bit.
    """

    average: Tensor
    """(d_sae, d_in) for each latent the average of the inputs that activated it; zero before the first."""
    seen: Tensor
    """(d_sae,) whether an input has activated the latent yet."""

    def __init__(
        self,
        d_in: int,
        d_sae: int,
        momentum: float = 0.9,
        over: Over = "pairs",
        gradient: Gradient = "whole",
        n_saes: int | None = None,
    ) -> None:
        """A fresh state.

        Args:
            d_in: width of the inputs.
            d_sae: number of latents.
            momentum: m of equation 6, in [0, 1).
            over: what the distances are summed over: `pairs` is equation 4, where a latent that is active twice as
                often weighs twice as much; `latents` takes the mean over each latent's inputs first.
            gradient: what the weights feel. `whole`: the gradient of equation 4. `average`: the part of it that comes
                through the embedding of the average, that of the input being held constant; on MNIST it costs less
                reconstruction. `opposite`: minus the whole, which drives the examples of a latent apart: a control.
            n_saes: for a stack of autoencoders their number: then every tensor below has one dimension more in front,
                and the loss is one number for each.

        Raises:
            NbkitError: a size below 1, a momentum outside [0, 1), or an unknown `over` or `gradient`.
        """
        super().__init__()
        d_in, d_sae = checked_whole("d_in", d_in, most=WIDEST), checked_whole("d_sae", d_sae, most=WIDEST)
        if d_in < 1 or d_sae < 1:
            raise NbkitError(f"d_in is {d_in} and d_sae is {d_sae}: both must be at least 1.")
        self.momentum = checked_number("The momentum", momentum, "choose one in [0, 1).", 0, 1)
        if not isinstance(over, str) or over not in get_args(Over):
            raise NbkitError(f"There is no sum over {shown(over)}: choose one of {', '.join(get_args(Over))}.")
        if not isinstance(gradient, str) or gradient not in get_args(Gradient):
            raise NbkitError(f"There is no gradient {shown(gradient)}: choose one of {', '.join(get_args(Gradient))}.")
        self.over, self.gradient = over, gradient
        stack = () if n_saes is None else (checked_whole("n_saes", n_saes, 1, WIDEST),)
        self.register_buffer("average", torch.zeros(*stack, d_sae, d_in))
        self.register_buffer("seen", torch.zeros(*stack, d_sae, dtype=torch.bool))
        self._table = torch.empty(0)

    def forward(
        self, h: Float[Tensor, "b d_in"], z: Float[Tensor, "b d_sae"], w_enc: Float[Tensor, "d_in d_sae"]
    ) -> Float[Tensor, ""]:
        """Equation 4: the sum of the distances over the pairs of an input and a latent that it activates.

        A pair whose embedding is all zeros has no direction: its distance is 1 and its gradient 0.

        Args:
            h: (b, d_in) what the autoencoder read; as the others of PyTorch or NumPy.
            z: (b, d_sae) its latents; a latent is active where it is positive.
            w_enc: (d_in, d_sae) its encoder's weights, the only argument that takes a gradient.

        Raises:
            NbkitError: the shapes don't fit, or there are complex numbers or text.
        """
        h, z, w_enc = self._converted(h, z, w_enc)
        self._check(h, z, w_enc)
        total: Tensor = _DistanceSum.apply(w_enc, self, h, Pairs(z))  # type: ignore[no-untyped-call]
        return total

    @torch.no_grad()
    def value_and_gradient(
        self, h: Float[Tensor, "b d_in"], pairs: Pairs, w_enc: Float[Tensor, "d_in d_sae"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "d_in d_sae"]]:
        """Equation 4 and its gradient with respect to the encoder's weights, for a batch whose pairs are known.

        The gradient is written by hand, so that nothing of a batch's size is kept. That of a pair's distance with
        respect to w is

            w / |a * w| * (c h^2 / |h * w|^2 - 2 a (h / |h * w| - a c / (2 |a * w|^2))),

            c = |a * w| cos(a * w, h * w),

        and the part of it that comes through a * w alone is

            -w / |a * w| * a (h / |h * w| - a c / |a * w|^2).
        """
        latents, a, w = self.average.shape[:-1], self.average.flatten(0, -2), w_enc.mT.contiguous().flatten(0, -2)
        share = self.seen.flatten()  # the weight of a latent's pairs
        if self.over == "latents":
            share = share / pairs.n_active.clamp_min(1).to(h.dtype)
        smallest = torch.finfo(h.dtype).tiny ** 0.75  # a squared norm below has no direction
        w2, h2 = w * w, h * h
        h_norm2 = pairs.products(w2, h2).clamp_min_(smallest)  # |h * w|^2 of every pair
        h_scale = h_norm2.rsqrt()
        aw2 = w2.mul_(a)
        a_norm2 = vecdot(a, aw2).clamp_min_(smallest)  # |a * w|^2 of every latent
        a_scale = a_norm2.rsqrt() * share
        toward = pairs.sums(h, h_scale)
        sum_c = vecdot(aw2, toward)  # over a latent's pairs; c, |a * w| times the cosine of a pair, is below
        total = (pairs.n_active * share).addcmul(sum_c, a_scale, value=-1).view(latents).sum(-1)
        if self.gradient == "average":
            gradient = toward.addcmul_(a, (sum_c / a_norm2)[:, None], value=-1).mul_(a).mul_(w).mul_(-a_scale[:, None])
            return total, gradient.view_as(self.average).mT
        c = pairs.products(aw2, h).mul_(h_scale)
        del w2, aw2  # two matrices of the weights' size at a time are enough
        toward.addcmul_(a, (sum_c / a_norm2)[:, None], value=-0.5)
        gradient = pairs.sums(h2, c.div_(h_norm2)).addcmul_(a, toward, value=-2).mul_(w).mul_(a_scale[:, None])
        if self.gradient == "opposite":
            gradient.neg_()
        return total, gradient.view_as(self.average).mT

    @torch.no_grad()
    def update(self, h: Float[Tensor, "b d_in"], z: Float[Tensor, "b d_sae"]) -> None:
        """Equation 6 for each input of the batch, in order.

        Raises:
            NbkitError: the shapes don't fit, or there are complex numbers or text.
        """
        h, z = self._converted(h, z)
        self._check(h, z)
        self.update_from_pairs(h, Pairs(z))

    @torch.no_grad()
    def update_from_pairs(self, h: Float[Tensor, "b d_in"], pairs: Pairs) -> None:
        """Equation 6 for each input of a batch whose pairs are known, in order; the shapes are taken on trust."""
        powers = self._powers(h)
        average, seen = self.average.flatten(0, -2), self.seen.flatten()
        active = pairs.n_active.bool()
        if not torch.equal(active | seen, seen):  # as if the first input had been the average: m h + (1 - m) h = h
            new = (active > seen).nonzero()[:, 0]
            average[new] = h.flatten(0, -2)[pairs.input[pairs.starts[new]]]
            seen[new] = True
        new_part = pairs.sums(h, powers.take(pairs.later).mul_(1 - self.momentum))
        torch.addcmul(new_part, average, powers.take(pairs.n_active)[:, None], out=average)

    def _powers(self, h: Float[Tensor, "*stack b d_in"]) -> Float[Tensor, " b+1"]:
        """Those of the momentum, up to a batch's size: computing them for each pair would take as long as its sums."""
        n = h.shape[-2] + 1
        if len(self._table) < n or (self._table.dtype, self._table.device) != (h.dtype, h.device):
            self._table = self.momentum ** torch.arange(n, dtype=h.dtype, device=h.device)
        return self._table

    def _apply(self, fn: Any, recurse: bool = True) -> NeuronEmbeddingLoss:
        """What moves the module or changes its precision."""
        exact = self.average
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        if self.average.dtype in (torch.float16, torch.bfloat16):
            self.average = exact.to(self.average.device)
        return self

    def _converted(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Tensors in the state's precision."""
        tensors = (as_tensor(each, name) for each, name in zip(values, ("h", "z", "w_enc"), strict=False))
        return tuple(tensor.to(self.average.dtype) for tensor in tensors)

    def _check(self, h: Tensor, z: Tensor, w_enc: Tensor | None = None) -> None:
        *stack, d_sae, d_in = self.average.shape
        b = h.shape[-2] if h.ndim > 1 else 0
        wanted = {"h": (h, (*stack, b, d_in)), "z": (z, (*stack, b, d_sae))}
        if w_enc is not None:
            wanted["w_enc"] = (w_enc, (*stack, d_in, d_sae))
        for name, (tensor, shape) in wanted.items():
            if tuple(tensor.shape) != shape:
                raise NbkitError(f"{name} has shape {tuple(tensor.shape)}: this loss needs {shape}.")


class _DistanceSum(torch.autograd.Function):
    """Equation 4, which knows its gradient already when it is computed."""

    @staticmethod
    def forward(ctx: Any, w_enc: Tensor, loss: NeuronEmbeddingLoss, h: Tensor, pairs: Pairs) -> Tensor:
        total, gradient = loss.value_and_gradient(h, pairs, w_enc)
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, upstream: Float[Tensor, "*stack"]) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream[..., None, None], None, None, None
