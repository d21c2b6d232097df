"""Changes to the training of a sparse autoencoder that test why latents die, and two remedies of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from nbkit.errors import NbkitError
from nbkit.evaluation import DEAD_BELOW
from nbkit.losses import Pairs
from nbkit.training_run import Pass, SaeConfig, TrainingRun

MEMORY = 0.98
"""Momentum of the running density: about 50 steps."""
TINY = 1e-30

Chosen = Literal["all", "rare", "frequent", "silent", "awake"]
Direction = Literal["own", "random", "by_length"]
Lengths = Literal["free", "fixed", "given"]
Decay = Literal["l2", "decoupled", "active"]


@dataclass(frozen=True)
class Intervention:
    """What is done besides the config; the defaults do nothing."""

    ne_on: Chosen = "all"
    """Latents whose encoder weights take the gradient of the neuron-embedding loss: by their running density (`rare`,
    `frequent`), or by whether they were active of late (`awake`, `silent`)."""
    rare_below: float = 0.01
    """Density below which a latent is rare."""
    ne_gradient: Direction = "own"
    """`random`: noise of that gradient's length, orthogonal to the weights, in its place. `by_length`: that gradient
    times the length of the latent's encoder weights, by the mean length, where that is below 1."""
    lengths: Lengths = "free"
    """Lengths of the latents' encoder weights from `ne_start` on: as trained, as they were then, or another run's."""
    decay: Decay = "l2"
    """Adam's L2 penalty; AdamW's decay; or the L2 penalty, but on a latent's encoder weights only where it is active in
    the batch."""
    no_decay: tuple[str, ...] = ()
    """Parameters without any decay."""
    resample_every: int | None = None
    """Steps after which silent latents are made anew from badly reconstructed inputs (Bricken et al. 2023)."""
    resampled_length: float = 0.2
    """Length of their encoder weights, by the mean of the others."""
    auxiliary: float = 0.0
    """Weight of the auxiliary loss of silent latents (Gao et al. 2024: 1/32)."""
    auxiliary_k: int = 32
    """Silent latents that it takes for an input."""
    silent_after: int = 100
    """Steps without an activation of at least 0.005 that make a latent silent."""

    def __post_init__(self) -> None:
        for name, known in {"ne_on": Chosen, "ne_gradient": Direction, "lengths": Lengths, "decay": Decay}.items():
            if getattr(self, name) not in get_args(known):
                raise NbkitError(
                    f"There is no {name} {getattr(self, name)!r}: choose one of {', '.join(get_args(known))}"
                )


class InterventionRun(TrainingRun):
    """A training run with an intervention; each autoencoder of the stack reads activations of its own."""

    def __init__(
        self,
        activations: Sequence[Float[Tensor, "n d_in"]],
        configs: Sequence[SaeConfig],
        intervention: Intervention | None = None,
        given: Float[Tensor, "n_steps *stack d_sae"] | None = None,
    ) -> None:
        """A run that has not begun.

        Args:
            activations: for each config, all of one shape.
            configs: that differ in `seed`, `l1` and `ne` alone.
            intervention: what is changed.
            given: the `lengths` of another run, for an intervention that holds them.

        Raises:
            NbkitError: the lengths of another run are to be held, and there are none.
        """
        super().__init__(activations[0], configs)
        self.activations, self.what, self.given = activations, intervention or Intervention(), given
        if self.what.lengths == "given" and given is None:
            raise NbkitError("The lengths of another run are to be held, and there are none: pass given.")
        self.generator = torch.Generator(self.data.device).manual_seed(sum(config.seed for config in configs))
        latents = self.weights["b_enc"].detach()
        self.silent = torch.zeros_like(latents, dtype=torch.long)
        """Steps since a latent was last active."""
        self.fired = torch.zeros_like(latents, dtype=torch.bool)
        """Whether a latent was above 0 in a batch since `ne_start`."""
        self.resampled = torch.zeros_like(latents, dtype=torch.bool)
        """Whether a latent was made anew."""
        self.density = torch.full_like(latents, self.what.rare_below)
        """Running share of the inputs that activate a latent."""
        self.lengths: list[Float[Tensor, "*stack d_sae"]] = []
        """Lengths of the latents' encoder weights after each step."""
        self._set_decay()

    def batch(self) -> Float[Tensor, "*stack b d_in"]:
        places = self.places()
        if not self.stacked:
            return self.activations[0][places]
        return torch.stack([h[chosen] for h, chosen in zip(self.activations, places, strict=True)])

    def loss(self, state: Pass) -> Float[Tensor, "*stack"]:
        loss: Tensor = super().loss(state)
        if self.what.decay == "active":
            squares = self.weights["w_enc"].square().sum(-2) + self.weights["b_enc"].square()
            loss = loss + self.config.weight_decay / 2 * (squares * (state.z > 0).any(-2)).sum(-1)
        if self.what.auxiliary > 0:
            loss = loss + self.what.auxiliary * auxiliary_loss(
                state, self.weights["w_dec"], self.silent >= self.what.silent_after, self.what.auxiliary_k
            )
        return loss

    def embedding_term(self, h: Float[Tensor, "*stack b d_in"], pairs: Pairs) -> Float[Tensor, "*stack"]:
        assert self.embedding_loss is not None
        w = self.weights["w_enc"]
        held, length = w.detach(), _length(w)
        share = self._chosen().to(w.dtype)
        if self.what.ne_gradient == "by_length":
            share = share * (length / length.mean(-1, keepdim=True)).clamp_max(1)
        term = self.embedding_loss.of_pairs(h, pairs, held + (w - held) * share[..., None, :])  # the share of gradient
        if self.what.ne_gradient != "random":
            return term
        (gradient,) = torch.autograd.grad(term.sum(), w)
        noise = torch.randn(w.shape, generator=self.generator, device=w.device, dtype=w.dtype)
        noise -= held * ((noise * held).sum(-2) / length.square().clamp_min(TINY))[..., None, :]
        noise *= (_length(gradient) / _length(noise).clamp_min(TINY))[..., None, :]
        return (noise * w).sum((-2, -1))

    @torch.no_grad()
    def after_step(self, state: Pass) -> None:
        super().after_step(state)
        self.silent = torch.where((state.z >= DEAD_BELOW).any(-2), 0, self.silent + 1)
        self.density.lerp_((state.z > 0).mean(-2, dtype=self.density.dtype), 1 - MEMORY)
        w, what = self.weights["w_enc"], self.what
        if self.step >= self.config.ne_start:
            self.fired |= (state.z > 0).any(-2)
            if what.lengths != "free":
                held = self.lengths[self.config.ne_start - 1] if self.given is None else self.given[self.step]
                w.mul_((held / _length(w).clamp_min(TINY))[..., None, :])
        if what.resample_every is not None and (self.step + 1) % what.resample_every == 0:
            self._resample(state)
        self.lengths.append(_length(w))

    def highest(self, batch_size: int = 8192, n: int | None = None) -> Float[Tensor, "n_saes d_sae"]:
        """The highest activation of each latent on the first `n` of its activations, or on all."""
        with torch.inference_mode():
            return torch.stack(
                [
                    torch.stack([sae.encode(part).amax(0) for part in h[:n].split(batch_size)]).amax(0)
                    for sae, h in zip(self.autoencoders(), self.activations, strict=True)
                ]
            )

    def _chosen(self) -> Tensor:
        """Latents that take the gradient of the neuron-embedding loss."""
        rare, silent = self.density < self.what.rare_below, self.silent >= self.what.silent_after
        return {"all": torch.ones_like(silent), "rare": rare, "frequent": ~rare, "silent": silent, "awake": ~silent}[
            self.what.ne_on
        ]

    def _set_decay(self) -> None:
        spared = {*self.what.no_decay, *(("w_enc", "b_enc") if self.what.decay == "active" else ())}
        groups = [
            {"params": [w], "weight_decay": 0.0 if name in spared else self.config.weight_decay}
            for name, w in self.weights.items()
        ]
        kind = torch.optim.AdamW if self.what.decay == "decoupled" else torch.optim.Adam
        self.optimiser = kind(groups, lr=self.config.learning_rate, fused=True)

    def _resample(self, state: Pass) -> None:
        """Bricken et al. 2023: every silent latent becomes an input that was drawn by the square of its loss."""
        silent = self.silent >= self.what.silent_after
        chance = state.error.square().sum(-1).square()
        for place in range(len(self.configs)):
            at = (place,) if self.stacked else ()
            own = silent[at]
            latents = own.nonzero()[:, 0]
            if len(latents) == 0 or bool(own.all()):
                continue
            w_enc, b_enc, w_dec = (self.weights[name][at] for name in ("w_enc", "b_enc", "w_dec"))
            drawn = torch.multinomial(chance[at], len(latents), replacement=True, generator=self.generator)
            direction = normalize(state.h[at][drawn] - self.weights["b_dec"][at], dim=1)
            w_enc[:, latents] = (self.what.resampled_length * _length(w_enc)[~own].mean() * direction).T
            w_dec[latents] = _length(w_dec.mT)[~own].mean() * direction
            b_enc[latents] = 0
            for key in ("exp_avg", "exp_avg_sq"):
                averages = {name: self.optimiser.state[self.weights[name]][key][at] for name in self.weights}
                averages["w_enc"][:, latents] = 0
                averages["w_dec"][latents] = 0
                averages["b_enc"][latents] = 0
            self.silent[at][latents] = 0
            self.resampled[at][latents] = True


def auxiliary_loss(
    state: Pass, w_dec: Float[Tensor, "*stack d_sae d_in"], silent: Tensor, k: int
) -> Float[Tensor, "*stack"]:
    """Gao et al. 2024: how badly silent latents reconstruct what the autoencoder misses.

    Squared error by the square of what is missing, in the unit of the mean squared error: 1 of theirs is the mean
    square of the inputs, which they divide both losses by.

    Args:
        state: of the batch.
        w_dec: the decoder.
        silent: (*stack, d_sae), which latents are.
        k: silent latents taken for an input, those of the highest pre-activations, without the ReLU.
    """
    values, places = state.pre.masked_fill(~silent[..., None, :], -torch.inf).topk(min(k, silent.shape[-1]), dim=-1)
    latents = torch.zeros_like(state.pre).scatter(-1, places, values.where(values.isfinite(), 0))
    missing = -state.error.detach()
    left = (latents @ w_dec - missing).square().sum((-2, -1)) / missing.square().sum((-2, -1))
    loss: Tensor = left * state.h.square().mean((-2, -1)) * silent.any(-1)
    return loss


def _length(w: Float[Tensor, "*stack d_in d_sae"]) -> Float[Tensor, "*stack d_sae"]:
    length: Tensor = w.detach().norm(dim=-2)
    return length
