"""Interventions against a plain implementation, by their properties, in stacks and in forks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

import nbkit.studies.dead_latents.interventions
from nbkit.errors import NbkitError
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.config import SaeConfig
from nbkit.sae.training_run import PARAMETERS, TrainingRun
from nbkit.studies.dead_latents.interventions import Intervention, InterventionRun

Run = TypeVar("Run", bound=TrainingRun)

D_IN, D_SAE, START = 6, 8, 3
CONFIG = SaeConfig(
    d_sae=D_SAE, l1=3e-2, ne=0.05, ne_start=START, batch_size=10, learning_rate=0.02, weight_decay=0.05, seed=2
)


@pytest.fixture(autouse=True)
def often_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    """In so few inputs a latent is rare below a quarter."""
    monkeypatch.setattr(nbkit.studies.dead_latents.interventions, "RARE", 0.25)


def activations(seed: int = 5, n: int = 95) -> Tensor:
    return torch.randn(n, D_IN, generator=torch.Generator().manual_seed(seed)).relu().double()


def trained(
    what: Intervention | None = None, config: SaeConfig = CONFIG, given: Tensor | None = None
) -> InterventionRun:
    return finished(InterventionRun([activations()], [config], what, given))


def finished(run: Run) -> Run:
    while run.step < run.n_steps:
        run.advance()
    return run


def same(a: TrainingRun, b: TrainingRun) -> bool:
    return all(torch.equal(a.weights[name], b.weights[name]) for name in PARAMETERS)


class Plain:
    """A training with an intervention, latent by latent and input by input; Adam from its equations."""

    def __init__(self, h_all: Tensor, config: SaeConfig, what: Intervention, given: Tensor | None = None) -> None:
        self.config, self.what, self.given = config, what, given
        sae = SparseAutoencoder(h_all.shape[1], config.d_sae, seed=config.seed)
        self.w = {name: getattr(sae, name).detach().double() for name in PARAMETERS}
        self.m = {name: torch.zeros_like(w) for name, w in self.w.items()}
        self.v = {name: torch.zeros_like(w) for name, w in self.w.items()}
        self.average: list[Tensor | None] = [None] * config.d_sae
        self.silent, self.density = [0] * config.d_sae, [nbkit.studies.dead_latents.interventions.RARE] * config.d_sae
        self.lengths: list[Tensor] = []
        self.noise = torch.Generator().manual_seed(config.seed)
        order = torch.randperm(len(h_all), generator=torch.Generator().manual_seed(1_000_003 * config.seed))
        for self.step, places in enumerate(order.split(config.batch_size)):
            self.advance(h_all[places])

    def advance(self, h: Tensor) -> None:
        w = {name: value.clone().requires_grad_() for name, value in self.w.items()}
        pre = (h - w["b_dec"]) @ w["w_enc"] + w["b_enc"]
        z = pre.relu()
        error = z @ w["w_dec"] + w["b_dec"] - h
        loss = (error**2).mean() + self.config.l1 * z.sum()
        if self.what.auxiliary:
            loss = loss + self.what.auxiliary * self.auxiliary(h, pre, w["w_dec"], error.detach())
        gradients = dict(zip(w, torch.autograd.grad(loss, list(w.values())), strict=True))
        beside = torch.zeros_like(self.w["w_enc"])
        if self.step >= self.config.ne_start:
            ne = self.config.ne * self.of_embeddings(h, z)
            if self.what.ne_gradient == "denominator":
                beside = ne
            else:
                gradients["w_enc"] = gradients["w_enc"] + ne
        self.remember(h, z)
        self.adam(gradients, beside, (z > 0).any(0))
        if self.step >= self.config.ne_start and self.what.lengths != "free":
            held = self.lengths[START - 1] if self.given is None else self.given[self.step]
            for j in range(self.config.d_sae):
                self.w["w_enc"][:, j] *= held[j] / self.w["w_enc"][:, j].norm()
        self.lengths.append(self.w["w_enc"].norm(dim=0))

    def of_embeddings(self, h: Tensor, z: Tensor) -> Tensor:
        """The gradient of equation 4, or what stands in for it."""
        kind, found = self.what.ne_gradient, torch.zeros_like(self.w["w_enc"])
        noise = torch.randn(found.shape, generator=self.noise, dtype=found.dtype) if kind == "noise" else found
        for j in range(self.config.d_sae):
            rare, silent = (
                self.density[j] < nbkit.studies.dead_latents.interventions.RARE,
                self.silent[j] >= self.what.silent_after,
            )
            if not {"all": True, "rare": rare, "frequent": not rare, "silent": silent}[self.what.ne_on]:
                continue
            average = self.average[j - 1] if kind == "shuffled" else self.average[j]
            if average is None or self.average[j] is None:
                continue
            w = self.w["w_enc"][:, j].clone().requires_grad_()
            active = [x for x, own in zip(h, z[:, j], strict=True) if own > 0]
            distance = sum(1 - cosine_similarity(average * w, x * w, dim=0) for x in active)
            if not active:
                continue
            (gradient,) = torch.autograd.grad(distance, w)  # type: ignore[arg-type]
            if self.config.ne_gradient == "opposite":
                gradient = -gradient
            if kind == "noise":
                gradient = as_long(across(noise[:, j], w.detach()), gradient)
            if kind == "level":
                mean = torch.stack(active).mean(0)
                gradient = as_long(across(gradient, across(mean, w.detach())), gradient)
            found[:, j] = gradient
        return found

    def remember(self, h: Tensor, z: Tensor) -> None:
        for j in range(self.config.d_sae):
            for x, own in zip(h, z[:, j], strict=True):
                if own > 0:
                    old, m = self.average[j], self.config.momentum
                    self.average[j] = x if old is None else m * old + (1 - m) * x
            self.silent[j] = 0 if bool((z[:, j] >= 0.005).any()) else self.silent[j] + 1
            self.density[j] = 0.98 * self.density[j] + 0.02 * float((z[:, j] > 0).double().mean())

    def adam(self, gradients: dict[str, Tensor], beside: Tensor, active: Tensor) -> None:
        lr, decay = self.config.learning_rate, self.config.weight_decay
        if self.what.decay == "early" and self.step >= START:
            decay = 0.0
        for name, g in gradients.items():
            penalty = decay * self.w[name]
            if self.what.decay == "decoupled":
                self.w[name] = self.w[name] * (1 - lr * decay)
                penalty = torch.zeros_like(g)
            if self.what.decay == "active" and name in ("w_enc", "b_enc"):
                penalty = penalty * active
            g = g + penalty
            squared = g + beside if name == "w_enc" else g
            self.m[name] = 0.9 * self.m[name] + 0.1 * g
            self.v[name] = 0.999 * self.v[name] + 0.001 * squared**2
            m, v = self.m[name] / (1 - 0.9 ** (self.step + 1)), self.v[name] / (1 - 0.999 ** (self.step + 1))
            self.w[name] = self.w[name] - lr * m / (v.sqrt() + 1e-8)

    def auxiliary(self, h: Tensor, pre: Tensor, w_dec: Tensor, error: Tensor) -> Tensor:
        """Gao et al. 2024, appendix A.2, input by input, of the d_in / 2 best silent latents."""
        silent = [j for j in range(self.config.d_sae) if self.silent[j] >= self.what.silent_after]
        if not silent:
            return torch.zeros((), dtype=h.dtype)
        total = torch.zeros((), dtype=h.dtype)
        for own, missing in zip(pre, -error, strict=True):
            best = sorted(silent, key=lambda j: -float(own[j].detach()))[: D_IN // 2]
            total = total + ((sum(own[j] * w_dec[j] for j in best) - missing) ** 2).sum()
        return total / (error**2).sum() * (h**2).mean()


def across(x: Tensor, w: Tensor) -> Tensor:
    return x - (x @ w) / (w @ w) * w


def as_long(x: Tensor, other: Tensor) -> Tensor:
    return x / x.norm() * other.norm() if other.norm() > 0 else torch.zeros_like(x)


OPPOSITE = replace(CONFIG, ne_gradient="opposite")
STAND_INS: tuple[dict[str, Any], ...] = (
    *({"ne_gradient": kind} for kind in ("shuffled", "level", "noise", "denominator")),
    *({"ne_on": chosen, "silent_after": 2} for chosen in ("rare", "frequent", "silent")),
    {"ne_on": "rare", "ne_gradient": "denominator"},
    *({"decay": kind} for kind in ("early", "active", "decoupled")),
    *({"decay": kind, "ne_gradient": "denominator"} for kind in ("early", "active", "decoupled")),
    {"lengths": "fixed"},
    {"auxiliary": 2.0, "silent_after": 2},
)
CHANGES = [
    *((Intervention(**options), CONFIG) for options in STAND_INS),
    *((Intervention(**options), OPPOSITE) for options in ({}, {"ne_gradient": "level"}, {"ne_on": "rare"})),
]
each_change = pytest.mark.parametrize(("what", "config"), CHANGES, ids=range(len(CHANGES)))


@each_change
def test_each_intervention_is_the_plain_one(what: Intervention, config: SaeConfig) -> None:
    run = is_the_plain_one(what, config)
    assert not torch.allclose(run.weights["w_enc"], trained().weights["w_enc"], atol=1e-5), "it changes something"


def test_no_intervention_is_the_plain_training() -> None:
    is_the_plain_one(Intervention(), CONFIG)


def is_the_plain_one(what: Intervention, config: SaeConfig) -> InterventionRun:
    run, plain = trained(what, config), Plain(activations(), config, what)
    for name in PARAMETERS:
        torch.testing.assert_close(run.weights[name].detach(), plain.w[name], rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(torch.stack(run.lengths), torch.stack(plain.lengths), rtol=1e-9, atol=1e-11)
    return run


@pytest.mark.parametrize("config", [CONFIG, replace(CONFIG, ne=0.0)])
def test_the_defaults_change_no_bit(config: SaeConfig) -> None:
    assert same(trained(config=config), finished(TrainingRun(activations(), [config])))
    configs = [replace(config, seed=seed) for seed in (0, 1)]
    together = finished(InterventionRun([activations()] * 2, configs))
    assert same(together, finished(TrainingRun(activations(), configs)))


REMEDY = Intervention(resample_every=4, silent_after=2, auxiliary=1.0)


@pytest.mark.parametrize(("what", "config"), [*CHANGES, (REMEDY, CONFIG)], ids=range(len(CHANGES) + 1))
def test_a_stack_trains_each_as_alone(what: Intervention, config: SaeConfig) -> None:
    data, configs = [activations(1), activations(2)], [replace(config, seed=seed) for seed in (3, 4)]
    together = finished(InterventionRun(data, configs, what))
    for place, (h, config) in enumerate(zip(data, configs, strict=True)):
        alone = finished(InterventionRun([h], [config], what))
        for name in PARAMETERS:
            torch.testing.assert_close(together.weights[name][place], alone.weights[name], rtol=1e-8, atol=1e-10)
        torch.testing.assert_close(together.highest()[place], alone.highest()[0], rtol=1e-8, atol=1e-10)
        for counted in ("silent", "fired", "resampled"):
            assert torch.equal(getattr(together, counted)[place], getattr(alone, counted))


WAITING = [(what, config) for what, config in CHANGES if what.waits]


@pytest.mark.parametrize(("what", "config"), WAITING, ids=range(len(WAITING)))
def test_a_fork_is_the_run_from_the_beginning(what: Intervention, config: SaeConfig) -> None:
    begun = InterventionRun([activations()], [config])
    while begun.step < START:
        begun.advance()
    assert same(finished(begun.fork(what)), trained(what, config))
    assert same(finished(begun), trained(config=config))  # and leaves what it comes from as it was


def test_a_fork_comes_in_time() -> None:
    begun = InterventionRun([activations()], [CONFIG])
    for what in (Intervention(decay="active"), Intervention(decay="decoupled"), REMEDY):
        with pytest.raises(NbkitError, match="changes what this run has done already: give it a run of its own"):
            begun.fork(what)
    with pytest.raises(NbkitError, match="changes what this run has done already"):
        finished(begun).fork(Intervention(lengths="fixed"))


def test_lengths_are_held() -> None:
    lengths = torch.stack(trained(Intervention(lengths="fixed")).lengths)
    torch.testing.assert_close(lengths[START:], lengths[START - 1].expand_as(lengths[START:]))
    assert not torch.allclose(lengths[START - 2], lengths[START - 1], atol=1e-4)
    given = torch.rand(10, D_SAE, generator=torch.Generator().manual_seed(1)).double() + 0.5
    held = torch.stack(trained(Intervention(lengths="given"), given=given).lengths)
    torch.testing.assert_close(held[START:], given[START:])
    torch.testing.assert_close(held[:START], lengths[:START], rtol=0, atol=0)
    own = torch.stack(trained().lengths)
    again = trained(Intervention(lengths="given"), given=own)  # a run's own lengths change nothing
    torch.testing.assert_close(again.weights["w_enc"], trained().weights["w_enc"])


def gradient_of(what: Intervention, config: SaeConfig = CONFIG) -> tuple[Tensor, Tensor, Tensor]:
    """The gradient that takes the place of the NE loss's, the weights, and for each latent the sum of its inputs."""
    run = InterventionRun([activations()], [config], what)
    while run.step < START:
        run.advance()
    with torch.no_grad():
        state = run.forward(run.batch())
        _, gradient = run.embedding_gradient(state)
    return gradient, run.weights["w_enc"].detach(), state.h.T @ (state.z > 0).double()


@pytest.mark.parametrize("kind", ["own", "shuffled", "level", "noise"])
@pytest.mark.parametrize("config", [CONFIG, OPPOSITE], ids=["whole", "opposite"])
def test_gradients_are_at_right_angles_and_as_long(kind: Any, config: SaeConfig) -> None:
    own, _, _ = gradient_of(Intervention())
    gradient, w, inputs = gradient_of(Intervention(ne_gradient=kind), config)
    assert (own.norm(dim=0) > 1e-3).sum() >= 4
    assert (gradient * w).sum(0).abs().max() < 1e-12
    if kind != "shuffled":
        torch.testing.assert_close(gradient.norm(dim=0), own.norm(dim=0))
    if kind == "level":
        assert (gradient * inputs).sum(0).abs().max() < 1e-12
        assert (own * inputs).sum(0).abs().max() > 1e-2


@pytest.mark.parametrize("kind", ["own", "shuffled", "level"])
def test_the_opposite_is_minus_the_gradient_to_the_last_bit(kind: Any) -> None:
    what = Intervention(ne_gradient=kind)
    assert torch.equal(gradient_of(what, OPPOSITE)[0], -gradient_of(what)[0])


def test_noise_is_drawn_anew_at_every_step() -> None:
    run = InterventionRun(
        [activations()] * 2, [replace(CONFIG, seed=s) for s in (0, 1)], Intervention(ne_gradient="noise")
    )
    while run.step < START:
        run.advance()
    with torch.no_grad():
        state = run.forward(run.batch())
        first, second = (run.embedding_gradient(state)[1] for _ in range(2))
    both = (first.norm(dim=-2) > 0) & (second.norm(dim=-2) > 0)
    assert (torch.cosine_similarity(first, second, dim=-2)[both] < 0.99).all()


def test_silent_latents_are_made_anew_at_their_steps() -> None:
    what = Intervention(resample_every=4, silent_after=2, resampled_length=0.5)
    config = replace(CONFIG, l1=0.3, ne=0.0, seed=0)
    run = InterventionRun([activations()], [config], what)
    renewed = 0
    while run.step < run.n_steps:
        silent = (run.silent + 1 >= 2) & ~(run.forward(run.batch()).z >= 0.005).any(0)  # as it is after this step
        run.advance()
        adam = run.optimizer.state[run.weights["w_enc"]]["exp_avg"]
        blank = (adam == 0).all(0)
        if run.step % 4 == 0 and not silent.all():
            assert torch.equal(blank, silent)
            assert (run.silent[silent] == 0).all() and run.resampled[silent].all()
            torch.testing.assert_close(
                run.lengths[-1][silent], (0.5 * run.lengths[-1][~silent].mean()).expand(int(silent.sum()))
            )
            renewed += int(silent.sum())
        else:
            assert not blank.any()
    assert renewed >= 2


def test_where_all_are_silent_none_is_made_anew() -> None:
    what = Intervention(resample_every=5, silent_after=1)
    config = replace(CONFIG, l1=1e3, learning_rate=1.0)
    run = trained(what, config)
    assert (run.silent >= 2).all() and not run.resampled.any()
    assert torch.stack([w.isfinite().all() for w in run.weights.values()]).all()


def test_counts_of_latents() -> None:
    run = trained()
    plain = Plain(activations(), CONFIG, Intervention())
    assert run.silent.tolist() == plain.silent
    assert run.density.tolist() == pytest.approx(plain.density)
    [sae] = run.autoencoders()
    torch.testing.assert_close(run.highest(batch_size=7), sae.encode(activations()).amax(0)[None])


def test_bad_input() -> None:
    for name, bad in {"ne_on": "some", "ne_gradient": "opposite", "lengths": "long", "decay": "none"}.items():
        with pytest.raises(NbkitError, match=f"There is no {name} '{bad}': choose one of"):
            Intervention(**{name: bad})  # type: ignore[arg-type]
    with pytest.raises(NbkitError, match="There are 1 activations for 2 configs: give one for each"):
        InterventionRun([activations()], [CONFIG] * 2)
    with pytest.raises(NbkitError, match="made for ReLU latents"):
        InterventionRun([activations()], [replace(CONFIG, activation="topk", k=2)])
    with pytest.raises(NbkitError, match="there are none: pass given"):
        InterventionRun([activations()], [CONFIG], Intervention(lengths="given"))
    with pytest.raises(NbkitError, match="ne_start must be at least 1"):
        InterventionRun([activations()], [replace(CONFIG, ne_start=0)], Intervention(lengths="fixed"))
