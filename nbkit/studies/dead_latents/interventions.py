"""Changes to the training of a sparse autoencoder that test why latents die."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.sae.config import SaeConfig
from nbkit.sae.evaluation import DEAD_BELOW
from nbkit.sae.pairs import Pairs
from nbkit.sae.training_run import Pass, TrainingRun
from nbkit.studies.dead_latents.remedies import auxiliary_loss, resample

RARE = 0.01
"""A latent is rare while it is active on a smaller share of the inputs."""
MEMORY = 0.98
"""Momentum of that share: about 50 steps."""
TINY = 1e-30

Chosen = Literal["all", "rare", "frequent", "silent"]
StandIn = Literal["own", "shuffled", "level", "noise", "denominator"]
Lengths = Literal["free", "fixed", "given"]
Decay = Literal["l2", "early", "active", "decoupled"]


@dataclass(frozen=True)
class Intervention:
    """What is changed besides the config; the defaults change nothing."""

    ne_on: Chosen = "all"
    """Latents whose encoder weights take the gradient of the NE loss: rare ones, the others, or silent ones."""
    ne_gradient: StandIn = "own"
    """What stands in for that gradient. `shuffled`: that toward the average of another latent's inputs. `level`: its
    part at right angles to the mean of the inputs that activate the latent, made as long as the whole. `noise`: a
    random vector as long, at right angles to the weights. `denominator`: itself, but in Adam's average of squares
    alone. For its opposite the config has a name."""
    lengths: Lengths = "free"
    """Lengths of the latents' encoder weights from `ne_start` on: as trained, as they were then, or another run's."""
    decay: Decay = "l2"
    """Adam's L2 penalty; the same, until `ne_start`; the same, but on a latent's encoder where it is active in the
    batch; or AdamW's decay, which Adam doesn't normalize."""
    resample_every: int | None = None
    """Steps after which silent latents are made anew from badly reconstructed inputs (Bricken et al. 2023)."""
    resampled_length: float = 0.2
    """Length of their encoder weights, by the mean of the others."""
    auxiliary: float = 0.0
    """Weight of the auxiliary loss of silent latents (Gao et al. 2024: 1/32)."""
    silent_after: int = 100
    """Steps without an activation of at least 0.005 that make a latent silent."""

    def __post_init__(self) -> None:
        known = {"ne_on": Chosen, "ne_gradient": StandIn, "lengths": Lengths, "decay": Decay}
        for name, values in known.items():
            if getattr(self, name) not in get_args(values):
                raise NbkitError(
                    f"There is no {name} {getattr(self, name)!r}: choose one of {', '.join(get_args(values))}"
                )

    @property
    def waits(self) -> bool:
        """Whether nothing is changed before `ne_start`."""
        return self.decay in ("l2", "early") and self.resample_every is None and self.auxiliary == 0


class InterventionRun(TrainingRun):
    """A training run with an intervention; each autoencoder of the stack reads activations of its own."""

    def __init__(
        self,
        activations: Sequence[Float[Tensor, "n d_in"]],
        configs: Sequence[SaeConfig],
        what: Intervention | None = None,
        given: Float[Tensor, "n_steps *stack d_sae"] | None = None,
    ) -> None:
        """A run that has not begun.

        Args:
            activations: for each config, all of one shape.
            configs: of ReLU latents, that differ in `seed`, `l1` and `ne` alone.
            what: the intervention.
            given: the `lengths` of another run, for an intervention that holds them.

        Raises:
            NbkitError: not as many activations as configs; no ReLU; the lengths to hold are missing.
        """
        if len(activations) != len(configs):
            raise NbkitError(f"There are {len(activations)} activations for {len(configs)} configs: give one for each.")
        if any(config.activation != "relu" for config in configs):
            raise NbkitError("Interventions are made for ReLU latents: choose configs with that activation.")
        super().__init__(activations[0], configs)
        self.activations = list(activations)
        self._take(what or Intervention(), given)
        self._set_decay()
        self.generators = [torch.Generator(self.data.device).manual_seed(config.seed) for config in configs]
        latents = self.weights["b_enc"].detach()
        self.silent = torch.zeros_like(latents, dtype=torch.long)
        """Steps since a latent was last active."""
        self.fired = torch.zeros_like(latents, dtype=torch.bool)
        """Whether a latent was above 0 in a batch since `ne_start`."""
        self.resampled = torch.zeros_like(latents, dtype=torch.bool)
        """Whether a latent was made anew."""
        self.density = torch.full_like(latents, RARE)
        """Running share of the inputs that activate a latent."""
        self.lengths: list[Float[Tensor, "*stack d_sae"]] = []
        """Lengths of the latents' encoder weights after each step."""
        self._unmoving: Float[Tensor, "*stack d_in d_sae"] | None = None
        """Gradient that this step adds to Adam's average of squares alone."""

    def fork(self, what: Intervention, given: Float[Tensor, "n_steps *stack d_sae"] | None = None) -> InterventionRun:
        """A copy of this run that goes on with an intervention.

        Raises:
            NbkitError: the intervention would have begun earlier; the lengths to hold are missing.
        """
        if not what.waits or self.step > self.config.ne_start:
            raise NbkitError(f"{what} changes what this run has done already: give it a run of its own.")
        run = deepcopy(self, {id(h): h for h in self.activations})
        run._take(what, given)
        return run

    def batch(self) -> Float[Tensor, "*stack b d_in"]:
        places = self.places()
        if not self.stacked:
            return self.activations[0][places]
        return torch.stack([h[chosen] for h, chosen in zip(self.activations, places, strict=True)])

    def loss(self, state: Pass) -> Float[Tensor, "*stack"]:
        loss: Tensor = super().loss(state)
        if self.what.auxiliary > 0:
            silent = self.silent >= self.what.silent_after
            loss = loss + self.what.auxiliary * auxiliary_loss(state, self.weights["w_dec"], silent)
        return loss

    def embedding_gradient(self, state: Pass) -> tuple[Float[Tensor, "*stack"], Float[Tensor, "*stack d_in d_sae"]]:
        loss, what = self.embedding_loss, self.what
        assert loss is not None
        if what.ne_gradient == "shuffled":
            loss = deepcopy(loss)
            loss.average, loss.seen = loss.average.roll(1, -2), loss.seen & loss.seen.roll(1, -1)
        value, gradient = loss.value_and_gradient(state.h, state.pairs, self.weights["w_enc"])
        if what.ne_on == "all" and what.ne_gradient == "own":
            return value, gradient
        gradient = self._changed(gradient, state.h, state.pairs) * self._chosen()[..., None, :]
        if what.ne_gradient == "denominator":
            self._unmoving = self.ne[..., None, None] * gradient
            gradient = torch.zeros_like(gradient)
        return value, gradient

    @torch.no_grad()
    def take_step(self, state: Pass) -> None:
        self._change_decay(state)
        if self._unmoving is not None:
            self._add_to_squares(self.weights["w_enc"], self._unmoving)
        super().take_step(state)
        self._count(state)
        if self.step >= self.config.ne_start and self.what.lengths != "free":
            held = self.lengths[self.config.ne_start - 1] if self.given is None else self.given[self.step]
            w = self.weights["w_enc"]
            w.mul_((held / _length(w).clamp_min(TINY))[..., None, :])
        if self.what.resample_every is not None and (self.step + 1) % self.what.resample_every == 0:
            self._resample(state)
        self.lengths.append(_length(self.weights["w_enc"]))

    def highest(self, batch_size: int = 1024) -> Float[Tensor, "n_saes d_sae"]:
        """The highest activation of each latent on its activations."""
        with torch.inference_mode():
            return torch.stack(
                [
                    torch.stack([sae.encode(part).amax(0) for part in h.split(batch_size)]).amax(0)
                    for sae, h in zip(self.autoencoders(), self.activations, strict=True)
                ]
            )

    def _take(self, what: Intervention, given: Tensor | None) -> None:
        if what.lengths == "given" and given is None:
            raise NbkitError("The lengths of another run are to be held, and there are none: pass given.")
        if what.lengths == "fixed" and self.config.ne_start < 1:
            raise NbkitError("Lengths can't be held from the first step on: ne_start must be at least 1.")
        self.what, self.given = what, given if what.lengths == "given" else None

    def _set_decay(self) -> None:
        active = ("w_enc", "b_enc") if self.what.decay == "active" else ()
        groups = [
            {"params": [w], "weight_decay": 0.0 if name in active else self.config.weight_decay}
            for name, w in self.weights.items()
        ]
        kind = torch.optim.AdamW if self.what.decay == "decoupled" else torch.optim.Adam
        self.optimizer = kind(groups, lr=self.config.learning_rate, fused=True)

    def _change_decay(self, state: Pass) -> None:
        """What this step's decay is, where Adam's own is not meant."""
        if self.what.decay == "early" and self.step >= self.config.ne_start:
            for group in self.optimizer.param_groups:
                group["weight_decay"] = 0.0
        if self.what.decay == "active":
            active = (state.z > 0).any(-2)
            for name, mine in (("w_enc", active[..., None, :]), ("b_enc", active)):
                gradient = self.weights[name].grad
                assert gradient is not None
                gradient += self.config.weight_decay * self.weights[name] * mine

    def _count(self, state: Pass) -> None:
        """What is known of the latents after this batch."""
        highest = state.z.amax(-2)
        self.silent = torch.where(highest >= DEAD_BELOW, 0, self.silent + 1)
        self.density.lerp_(state.z.sign().mean(-2), 1 - MEMORY)
        if self.step >= self.config.ne_start:
            self.fired |= highest > 0

    def _chosen(self) -> Bool[Tensor, "*stack d_sae"]:
        """Latents that take the gradient of the NE loss."""
        rare, silent = self.density < RARE, self.silent >= self.what.silent_after
        return {"all": torch.ones_like(rare), "rare": rare, "frequent": ~rare, "silent": silent}[self.what.ne_on]

    def _changed(
        self, gradient: Float[Tensor, "*stack d_in d_sae"], h: Float[Tensor, "*stack b d_in"], pairs: Pairs
    ) -> Float[Tensor, "*stack d_in d_sae"]:
        """What stands in for the gradient of the NE loss, which is at right angles to the weights."""
        kind, w = self.what.ne_gradient, self.weights["w_enc"].detach()
        if kind == "noise":
            noise = [
                torch.randn(w.shape[-2:], generator=own, device=w.device, dtype=w.dtype) for own in self.generators
            ]
            return _as_long(_across(self.stack(noise), w), gradient)
        if kind == "level":
            ones = torch.ones_like(pairs.latent, dtype=h.dtype)
            inputs = pairs.sums(h, ones).view(*w.shape[:-2], *w.mT.shape[-2:]).mT  # their sum is as good as their mean
            return _as_long(_across(gradient, _across(inputs, w)), gradient)
        return gradient

    def _add_to_squares(self, w: Tensor, gradient: Tensor) -> None:
        """Makes Adam's average of squares what it were with a gradient beside the one of this step."""
        average = self.optimizer.state[w].get("exp_avg_sq")
        if average is None or w.grad is None:  # before the first step no latent has been seen, and the gradient is 0
            return
        group = self.optimizer.param_groups[0]
        beta, decay = group["betas"][1], 0.0 if self.what.decay == "decoupled" else group["weight_decay"]
        moving = w.grad + decay * w
        average += (1 - beta) / beta * gradient * (2 * moving + gradient)  # (a + b)^2 - a^2; Adam multiplies by beta

    def _resample(self, state: Pass) -> None:
        silent = self.silent >= self.what.silent_after
        silent &= ~silent.all(-1, keepdim=True)  # where all are, there is no length to take
        for place, generator in enumerate(self.generators):
            at = (place,) if self.stacked else ()
            if not bool(silent[at].any()):
                continue
            weights = {name: w[at] for name, w in self.weights.items()}
            adam = [self.optimizer.state[w] for w in self.weights.values()]
            averages = [
                {name: state_of[key][at] for name, state_of in zip(weights, adam, strict=True)}
                for key in ("exp_avg", "exp_avg_sq")
            ]
            length = self.what.resampled_length
            resample(weights, averages, state.h[at], state.error[at], silent[at], length, generator)
        self.resampled |= silent
        self.silent[silent] = 0


def _length(w: Float[Tensor, "*stack d_in d_sae"]) -> Float[Tensor, "*stack d_sae"]:
    return w.detach().square().sum(-2).sqrt()


def _across(x: Float[Tensor, "*stack d_in d_sae"], w: Float[Tensor, "*stack d_in d_sae"]) -> Tensor:
    """The part of each latent's vector at right angles to another."""
    return x - w * ((x * w).sum(-2) / w.square().sum(-2).clamp_min(TINY))[..., None, :]


def _as_long(x: Float[Tensor, "*stack d_in d_sae"], other: Float[Tensor, "*stack d_in d_sae"]) -> Tensor:
    """Each latent's vector, as long as another."""
    return x * (_length(other) / _length(x).clamp_min(TINY))[..., None, :]
