"""Why the neuron-embedding loss saves latents from dying: experiments, each of which one explanation forbids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from itertools import chain

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from joblib import Parallel, delayed, parallel_config
from tqdm.auto import tqdm

from nbkit.errors import NbkitError
from nbkit.evaluation import DEAD_BELOW, sae_metrics
from nbkit.hidden import Hidden, hidden_of
from nbkit.interventions import Intervention, InterventionRun
from nbkit.matched import mean_interval
from nbkit.results import kept_table
from nbkit.training_run import SaeConfig

RECIPE = 1
"""Counts the changes of what the kept tables hold."""
STANDARD = SaeConfig()
NE = replace(STANDARD, ne=5e-3)
"""In the middle of the settings that come near the paper's row."""
TRACE_EVERY = 25
"""Steps between two counts of dead latents while training."""
TRACE_INPUTS = 10_000
"""Training inputs that these counts take."""


@dataclass(frozen=True)
class Variant:
    """One way of training."""

    title: str
    config: SaeConfig = STANDARD
    what: Intervention = field(default_factory=Intervention)
    lengths_of: str | None = None
    """The variant whose lengths of encoder weights this one is held to."""
    traced: bool = False
    """Whether dead latents are counted while it trains."""


def _without_decay(config: SaeConfig) -> SaeConfig:
    return replace(config, weight_decay=0.0)


VARIANTS = {
    "standard": Variant("standard", traced=True),
    "ne": Variant("+ NE loss", NE, traced=True),
    "ne_rare": Variant("+ NE loss, rare latents alone", NE, Intervention(ne_on="rare")),
    "ne_frequent": Variant("+ NE loss, frequent latents alone", NE, Intervention(ne_on="frequent")),
    "ne_silent": Variant("+ NE loss, silent latents alone", NE, Intervention(ne_on="silent", silent_after=20)),
    "ne_awake": Variant("+ NE loss, awake latents alone", NE, Intervention(ne_on="awake", silent_after=20)),
    "ne_random": Variant("+ noise of the NE gradient's size", NE, Intervention(ne_gradient="random")),
    "ne_by_length": Variant("+ NE loss, gradient scaled by length", NE, Intervention(ne_gradient="by_length")),
    "fixed": Variant("standard, lengths fixed", STANDARD, Intervention(lengths="fixed")),
    "ne_fixed": Variant("+ NE loss, lengths fixed", NE, Intervention(lengths="fixed")),
    "lengthened": Variant("standard, lengths of the NE run", STANDARD, Intervention(lengths="given"), "ne"),
    "l1_half": Variant("standard, half the L1", replace(STANDARD, l1=1e-4)),
    "l1_quarter": Variant("standard, a quarter of the L1", replace(STANDARD, l1=5e-5)),
    "ne_l1_double": Variant("+ NE loss, twice the L1", replace(NE, l1=4e-4)),
    "no_decay": Variant("standard, no decay", _without_decay(STANDARD), traced=True),
    "decoupled": Variant("standard, decoupled decay", STANDARD, Intervention(decay="decoupled")),
    "active_decay": Variant("standard, decay of active latents alone", STANDARD, Intervention(decay="active")),
    "ne_no_decay": Variant("+ NE loss, no decay", _without_decay(NE), traced=True),
    "ne_no_bias_decay": Variant("+ NE loss, no decay of b_enc", NE, Intervention(no_decay=("b_enc",))),
    "resampled": Variant("standard, resampling", STANDARD, Intervention(resample_every=100)),
    "resampled_long": Variant(
        "standard, resampling, 25 times as long", STANDARD, Intervention(resample_every=100, resampled_length=5.0)
    ),
    "auxiliary": Variant("standard, auxiliary loss", STANDARD, Intervention(auxiliary=1 / 32)),
    "resampled_no_decay": Variant(
        "standard, no decay, resampling", _without_decay(STANDARD), Intervention(resample_every=100)
    ),
    "auxiliary_no_decay": Variant(
        "standard, no decay, auxiliary loss", _without_decay(STANDARD), Intervention(auxiliary=1 / 32)
    ),
}
"""All that is trained."""

GROUPS = {
    "the two rows of Tables 2 and 3": ("standard", "ne"),
    "which latents take the gradient": ("ne_rare", "ne_frequent", "ne_silent", "ne_awake", "ne_random", "ne_by_length"),
    "lengths of the encoder weights": ("ne_fixed", "fixed", "lengthened"),
    "sparsity": ("l1_half", "l1_quarter", "ne_l1_double"),
    "weight decay": ("no_decay", "decoupled", "active_decay", "ne_no_decay", "ne_no_bias_decay"),
    "remedies of others": ("resampled", "resampled_long", "auxiliary", "resampled_no_decay", "auxiliary_no_decay"),
}


@dataclass(frozen=True, eq=False)
class DeadLatents:
    """What the experiments found."""

    rows: pd.DataFrame
    """One row per variant and seed: the figures of `sae_metrics`, and those of `_of_run`."""
    course: pd.DataFrame
    """One row per traced variant, seed and count: `step`, `dead` (%), and the median lengths of encoder weights."""

    def values(self, variant: str, column: str = "dead") -> Float[np.ndarray, " n_seeds"]:
        """A figure of a variant, by seed."""
        mine = self.rows[self.rows["variant"] == variant].sort_values("seed")
        if mine.empty:
            raise NbkitError(f"There is no variant {variant!r} among the results.")
        values: Float[np.ndarray, " n_seeds"] = mine[column].to_numpy(dtype=np.float64)
        return values

    def interval(self, variant: str, column: str = "dead") -> tuple[float, float, float]:
        """Its mean over seeds and the 95% interval of that."""
        return mean_interval(self.values(variant, column))

    def saved(self, variant: str, base: str = "standard") -> Float[np.ndarray, " n_seeds"]:
        """The latents that a variant saves in comparison with `base`, by those that the NE loss saves; by seed."""
        saving: Float[np.ndarray, " n_seeds"] = (self.values(base) - self.values(variant)) / self.ne_saving()
        return saving

    def ne_saving(self) -> Float[np.ndarray, " n_seeds"]:
        """Points by which the NE loss lowers the dead share, by seed."""
        points: Float[np.ndarray, " n_seeds"] = self.values("standard") - self.values("ne")
        return points

    def at_sparsity(self, variants: Sequence[str], l0: Float[np.ndarray, " n_seeds"]) -> Float[np.ndarray, " n_seeds"]:
        """The dead share of variants at a given L0, by seed: linear in log L0 between theirs, NaN outside."""
        l0s, dead = (np.array([self.values(v, column) for v in variants]) for column in ("l0", "dead"))
        order = np.argsort(l0s, axis=0)
        l0s, dead = np.log(np.take_along_axis(l0s, order, 0)), np.take_along_axis(dead, order, 0)
        return np.array([np.interp(np.log(x), l0s[:, i], dead[:, i], np.nan, np.nan) for i, x in enumerate(l0)])


def dead_latents(n_seeds: int = 5, seed: int = 0, n_jobs: int = -1) -> DeadLatents:
    """Trains and measures every variant with `n_seeds` seeds, once; a seed makes the MLP and the autoencoder.

    Args:
        n_seeds: seeds from `seed` on.
        n_jobs: processes, of one thread each; -1 for one a core.

    Raises:
        NbkitError: n_seeds is below 2; MNIST can't be fetched; the cache folder can't be written.
    """
    if n_seeds < 2:
        raise NbkitError(f"n_seeds is {n_seeds}: intervals over seeds need at least 2")
    seeds = tuple(range(seed, seed + n_seeds))
    variants = {name: asdict(variant) for name, variant in VARIANTS.items()}
    request = {"recipe": RECIPE, "variants": variants, "seeds": seeds, "trace": [TRACE_EVERY, TRACE_INPUTS]}
    made: list[tuple[pd.DataFrame, pd.DataFrame]] = []

    def table(which: int) -> pd.DataFrame:
        if not made:
            made.append(_experiments(seeds, n_jobs))
        return made[0][which]

    rows = kept_table("dead-latents", request, lambda: table(0))
    return DeadLatents(rows, kept_table("dead-latents-course", request, lambda: table(1)))


def _experiments(seeds: tuple[int, ...], n_jobs: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    with parallel_config("loky", inner_max_num_threads=1):  # small products: a second thread waits more than it works
        done = Parallel(n_jobs=min(n_jobs, len(VARIANTS)), return_as="generator")(
            delayed(_of_variant)(name, seeds) for name in sorted(VARIANTS, key=lambda name: -_cost(VARIANTS[name]))
        )
        found = list(tqdm(done, total=len(VARIANTS), desc="variants", unit="variant"))
    rows, course = (pd.DataFrame(list(chain.from_iterable(parts))) for parts in zip(*found, strict=True))
    return rows, course


def _cost(variant: Variant) -> int:
    """The longest go first, so that the processes end together."""
    return (variant.config.ne > 0) + 2 * (variant.lengths_of is not None) + variant.traced


@lru_cache(maxsize=1)
def _hidden(seeds: tuple[int, ...]) -> list[Hidden]:
    return [hidden_of(seed) for seed in seeds]


def _of_variant(name: str, seeds: tuple[int, ...]) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """The rows of a variant and its course, all seeds in one computation."""
    variant, hidden = VARIANTS[name], _hidden(seeds)
    given = None
    if variant.lengths_of is not None:
        given = torch.stack(_trained(VARIANTS[variant.lengths_of], hidden, seeds)[0].lengths)
    run, dead_at_start, course = _trained(variant, hidden, seeds, given, variant.traced)
    figures = _of_run(run, dead_at_start)
    with torch.inference_mode():
        rows = [
            {
                "variant": name,
                "seed": seed,
                **sae_metrics(sae, own.train, own.test, own.readout, own.test_labels),
                **mine,
            }
            for seed, sae, own, mine in zip(seeds, run.autoencoders(), hidden, figures, strict=True)
        ]
    return rows, [{"variant": name, **point} for point in course]


def _trained(
    variant: Variant,
    hidden: Sequence[Hidden],
    seeds: Sequence[int],
    given: torch.Tensor | None = None,
    traced: bool = False,
) -> tuple[InterventionRun, torch.Tensor, list[dict[str, object]]]:
    """The finished run, which latents were dead at `ne_start`, and the counts on the way."""
    configs = [replace(variant.config, seed=seed) for seed in seeds]
    run = InterventionRun([own.train for own in hidden], configs, variant.what, given)
    course: list[dict[str, object]] = []
    dead_at_start = torch.zeros(len(seeds), variant.config.d_sae, dtype=torch.bool)
    while run.step < run.n_steps:
        run.advance()
        if run.step == variant.config.ne_start:
            dead_at_start = run.highest() < DEAD_BELOW
        if traced and run.step % TRACE_EVERY == 0:
            dead = run.highest(n=TRACE_INPUTS) < DEAD_BELOW
            for own, seed, length in zip(dead, seeds, run.lengths[-1].view(dead.shape), strict=True):
                course.append(
                    {
                        "seed": seed,
                        "step": run.step,
                        "dead": 100 * float(own.double().mean()),
                        "length_awake": _median(length[~own]),
                        "length_dead": _median(length[own]),
                    }
                )
    return run, dead_at_start, course


def _of_run(run: InterventionRun, dead_at_start: torch.Tensor) -> list[dict[str, float]]:
    """Of each autoencoder, in per cent but for the lengths.

    `dead_at_start`, the latents dead at `ne_start`; of these `came_back`, alive at the end, and `fired`, above 0 in a
    later batch; `died_later`, of those alive then the dead ones at the end; `resampled`; and the median lengths of the
    encoder weights of alive and dead latents, `length_awake` and `length_dead`.
    """
    dead = run.highest() < DEAD_BELOW
    length, fired, resampled = (x.view(dead.shape) for x in (run.lengths[-1], run.fired, run.resampled))
    return [
        {
            "dead_at_start": _share(start),
            "came_back": _share(~end[start]),
            "fired": _share(fired[place][start]),
            "died_later": _share(end[~start]),
            "resampled": _share(resampled[place]),
            "length_awake": _median(length[place][~end]),
            "length_dead": _median(length[place][end]),
        }
        for place, (start, end) in enumerate(zip(dead_at_start, dead, strict=True))
    ]


def _share(of: torch.Tensor) -> float:
    return 100 * float(of.double().mean()) if len(of) else float("nan")


def _median(of: torch.Tensor) -> float:
    return float(of.median()) if len(of) else float("nan")
