"""Why the neuron-embedding loss saves latents from dying: training runs, each of which differs in one thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.mnist.hidden import Hidden, hidden_of
from nbkit.parallel.pool import in_processes
from nbkit.sae.config import SaeConfig
from nbkit.sae.evaluation import DEAD_BELOW
from nbkit.studies.dead_latents.interventions import RARE, Intervention, InterventionRun
from nbkit.studies.dead_latents.variants import QUESTIONS, VARIANTS, Question, Variant
from nbkit.studies.shared.estimate import Estimate
from nbkit.studies.shared.kept_tables import kept_table

DEAD_LATENTS_RECIPE = 2
"""Counts the changes of what the kept table holds."""
KEPT_TITLES = {"toward another latent's average": "towards another latent's average"}
"""Titles that were others when the first tables were kept: in those tables' names they stay."""
COUNT_EVERY = 50
"""Steps between two counts of dead latents while training."""


@dataclass(frozen=True, eq=False)
class DeadLatents:
    """What the experiments found."""

    table: pd.DataFrame
    """One row per variant, seed and count of dead latents; see `dead_latents`."""

    @property
    def course(self) -> pd.DataFrame:
        """The rows of the variants that were counted while they trained."""
        return self.table[self.table["variant"].isin([name for name, v in VARIANTS.items() if v.counted])]

    @property
    def questions(self) -> dict[str, Question]:
        """The questions whose variants are there."""
        there = set(self.table["variant"])
        return {name: question for name, question in QUESTIONS.items() if question.variants.keys() <= there}

    def values(self, variant: str, column: str = "dead") -> Float[np.ndarray, " n_seeds"]:
        """A figure of a variant at the end of its training, by seed; NaN where it was not trained."""
        if variant not in VARIANTS:
            raise NbkitError(f"There is no variant {variant!r}: choose from {', '.join(VARIANTS)}.")
        mine = self.table[(self.table["variant"] == variant) & (self.table["step"] == self.table["step"].max())]
        if mine.empty:
            return np.full(self.table["seed"].nunique(), np.nan)
        values: Float[np.ndarray, " n_seeds"] = mine.sort_values("seed")[column].to_numpy(dtype=np.float64)
        return values

    def mean(self, variant: str, column: str = "dead") -> float:
        """Its mean over seeds."""
        return float(self.values(variant, column).mean())

    def share(self, variant: str, column: str = "dead") -> Estimate:
        """A share of the latents, in percent."""
        return Estimate.over_seeds(self.values(variant, column)).within(0, 100)

    def saving(self, variant: str) -> Estimate:
        """The share of what the NE loss saves that a variant saves, too; in percent."""
        return Estimate.over_seeds(100 * self.saved(variant))

    @property
    def saves(self) -> bool:
        """Whether the NE loss lowers the dead share measurably."""
        return Estimate.over_seeds(self.values("standard") - self.values("ne")).sign > 0

    def saved(self, variant: str) -> Float[np.ndarray, " n_seeds"]:
        """`saving` by seed, as a fraction."""
        standard = self.values("standard")
        saved: Float[np.ndarray, " n_seeds"] = (standard - self.values(variant)) / (standard - self.values("ne"))
        return saved

    def by_length(self) -> Float[np.ndarray, " n_seeds"]:
        """The share of the saving that the lengths of the encoder weights make.

        The two runs differ in these lengths and in the rest. The share is the mean of what the lengths of the NE run
        save in a standard run, and of what is lost without them in the NE run (the Shapley value of two causes).
        """
        share: Float[np.ndarray, " n_seeds"] = (self.saved("lengthened") + 1 - self.saved("ne_shortened")) / 2
        return share

    def at_sparsity(self, variants: Sequence[str], l0: Float[np.ndarray, " n_seeds"]) -> Float[np.ndarray, " n_seeds"]:
        """The dead share of variants at a given L0, by seed: linear in log L0 between theirs, NaN outside."""
        l0s, dead = (np.array([self.values(v, column) for v in variants]) for column in ("l0", "dead"))
        order = np.argsort(l0s, axis=0)
        l0s, dead = np.log(np.take_along_axis(l0s, order, 0)), np.take_along_axis(dead, order, 0)
        return np.array([np.interp(np.log(x), l0s[:, i], dead[:, i], np.nan, np.nan) for i, x in enumerate(l0)])


def dead_latents(
    n_seeds: int = 5,
    seed: int = 0,
    questions: Sequence[str] = tuple(QUESTIONS),
    n_jobs: int = -1,
    progress: bool = True,
) -> DeadLatents:
    """Trains and measures the variants of some questions, once; a seed makes the MLP and the autoencoder.

    Args:
        n_seeds: seeds from `seed` on.
        questions: names from `QUESTIONS`; `reference` is always among them.
        n_jobs: processes, of one thread each; -1 for one a core.

    Returns:
        A table: `variant`, `seed`, `step` and `dead`, in percent of the latents as all figures but the MSE, and the
        lengths; `length_doomed` and `length_spared`, the median lengths of the encoder weights of the latents that are
        dead at the end of the standard run, and of the others. At the last step also `mse` and `l0`, as
        `SaeReport.summary` has; `rare`, the latents active on less than 1% of the last inputs; `dead_at_start`, those
        dead when the NE loss starts; of these `fired`, above 0 in some later batch, and `came_back`, alive at the end;
        `died_later`, of those alive then the dead ones; and of the resampled latents `resampled_alive`.

    Raises:
        NbkitError: n_seeds is below 2; an unknown question; MNIST can't be fetched; the cache folder can't be written.
    """
    if n_seeds < 2:
        raise NbkitError(f"n_seeds is {n_seeds}: intervals over seeds need at least 2")
    if odd := [name for name in questions if name not in QUESTIONS]:
        raise NbkitError(f"There is no question {odd[0]!r}: choose from {', '.join(QUESTIONS)}")
    seeds = tuple(range(seed, seed + n_seeds))
    asked = [question for name, question in QUESTIONS.items() if name in ("reference", *questions)]
    variants = {name: variant for question in asked for name, variant in question.variants.items()}
    request = {
        "recipe": DEAD_LATENTS_RECIPE,
        "variants": {name: _identity(variant) for name, variant in variants.items()},
        "seeds": seeds,
        "every": COUNT_EVERY,
    }
    return DeadLatents(kept_table("dead-latents", request, lambda: _experiments(variants, seeds, n_jobs, progress)))


def _identity(variant: Variant) -> dict[str, Any]:
    """What names a variant in its kept table: its fields as they were when the first tables were kept, so that these
    stay valid. Then the opposite gradient was the intervention's, and a title was spelled the British way."""
    identity = asdict(variant)
    config, what = identity["config"], identity["what"]
    identity["title"] = KEPT_TITLES.get(variant.title, variant.title)
    if config["ne_gradient"] == "opposite":
        config["ne_gradient"] = "whole"
        what["ne_gradient"] = {"own": "reversed", "level": "reversed_level"}[what["ne_gradient"]]
    return identity


class _Trained(NamedTuple):
    """What is left of a variant: all seeds were one computation."""

    rows: list[dict[str, float]]
    """One per count and seed."""
    lengths: Float[Tensor, "n_steps n_seeds d_sae"]
    dead: Bool[Tensor, "n_seeds d_sae"]


def _experiments(variants: Mapping[str, Variant], seeds: tuple[int, ...], n_jobs: int, progress: bool) -> pd.DataFrame:
    """The table of variants, the reference first: some are held to its lengths."""
    first = list(QUESTIONS["reference"].variants)
    rest = sorted(variants.keys() - set(first), key=lambda name: (-variants[name].config.ne, name))  # the longest first
    found: dict[str, _Trained] = {}
    for names in (first, rest):
        others = [found.get(variants[name].lengths_of or "") for name in names]
        tasks = [
            (variants[name], seeds, None if other is None else other.lengths)
            for name, other in zip(names, others, strict=True)
        ]
        trained = in_processes(_train, tasks, n_jobs, "variants", "variant", progress)
        found.update(zip(names, trained, strict=True))
    doomed = found["standard"].dead
    return pd.DataFrame(
        [
            {"variant": name, **row, **_lengths(found[name].lengths, doomed, row, seeds)}
            for name in variants
            for row in found[name].rows
        ]
    )


def _train(variant: Variant, seeds: tuple[int, ...], given: Tensor | None = None) -> _Trained:
    start = variant.config.ne_start
    dead: dict[int, Tensor] = {}
    if variant.what.waits and not variant.counted:
        begun, dead[start] = _begun(variant.config, seeds)
        run = begun.fork(variant.what, given)
    else:
        run = _run(variant.config, seeds, variant.what)
    counts = range(COUNT_EVERY, run.n_steps, COUNT_EVERY) if variant.counted else ()
    for step in sorted({*counts, start, run.n_steps} - set(dead)):
        dead[step] = _dead_at(run, step)
    rows = [
        {"seed": seed, "step": step, "dead": _share(own)}
        for step, all_of_them in dead.items()
        for seed, own in zip(seeds, all_of_them, strict=True)
    ]
    for row, figures in zip(
        rows[-len(seeds) :], _figures(run, _hidden(seeds), dead[start], dead[run.n_steps]), strict=True
    ):
        row |= figures
    return _Trained(rows, torch.stack(run.lengths), dead[run.n_steps])


@lru_cache(maxsize=1)
def _hidden(seeds: tuple[int, ...]) -> list[Hidden]:
    return [hidden_of(seed) for seed in seeds]


def _run(config: SaeConfig, seeds: tuple[int, ...], what: Intervention | None = None) -> InterventionRun:
    configs = [replace(config, seed=seed) for seed in seeds]
    return InterventionRun([own.train for own in _hidden(seeds)], configs, what)


@lru_cache
def _begun(config: SaeConfig, seeds: tuple[int, ...]) -> tuple[InterventionRun, Bool[Tensor, "n_seeds d_sae"]]:
    """What the variants of a config share: the run as far as `ne_start`, and which latents are dead there."""
    run = _run(config, seeds)
    return run, _dead_at(run, config.ne_start)


def _dead_at(run: InterventionRun, step: int) -> Bool[Tensor, "n_seeds d_sae"]:
    while run.step < step:
        run.advance()
    dead: Tensor = run.highest() < DEAD_BELOW
    return dead


@torch.inference_mode()
def _figures(
    run: InterventionRun,
    hidden: Sequence[Hidden],
    dead_at_start: Bool[Tensor, "n_seeds d_sae"],
    dead_at_end: Bool[Tensor, "n_seeds d_sae"],
) -> list[dict[str, float]]:
    """The figures of a finished run, for each seed."""
    found = []
    latents = zip(dead_at_start, dead_at_end, run.fired, run.resampled, run.density, strict=True)
    for sae, own, (start, dead, fired, resampled, density) in zip(run.autoencoders(), hidden, latents, strict=True):
        z, reconstruction = sae(own.test)
        found.append(
            {
                "mse": float((reconstruction - own.test).square().double().mean()),
                "l0": _share(z > 0),
                "rare": _share(density < RARE),
                "dead_at_start": _share(start),
                "fired": _share(fired[start]),
                "came_back": _share(~dead[start]),
                "died_later": _share(dead[~start]),
                "resampled_alive": _share(~dead[resampled]),
            }
        )
    return found


def _lengths(lengths: Tensor, doomed: Tensor, row: Mapping[str, float], seeds: tuple[int, ...]) -> dict[str, float]:
    """The median lengths of the encoder weights of latents that die in the standard run, and of the others."""
    place = seeds.index(int(row["seed"]))
    length, mine = lengths[int(row["step"]) - 1, place], doomed[place]
    return {"length_doomed": _median(length[mine]), "length_spared": _median(length[~mine])}


def _median(of: Tensor) -> float:
    return float(of.quantile(0.5)) if of.numel() else float("nan")


def _share(of: Tensor) -> float:
    return 100 * float(of.double().mean()) if of.numel() else float("nan")
