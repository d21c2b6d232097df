"""Tables 2 and 3: the standard row over seeds, and a search for the row with the neuron-embedding loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import get_args

import numpy as np
import pandas as pd

from nbkit.errors import NbkitError
from nbkit.method.controls import other_units
from nbkit.mnist.hidden import Hidden, hidden_of
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.config import SaeConfig
from nbkit.sae.evaluation import DEAD_BELOW, evaluate_sae, median
from nbkit.sae.latents import control_distances, example_distances
from nbkit.sae.loss import Over
from nbkit.sae.report import SaeReport
from nbkit.sae.training import train_saes
from nbkit.studies.shared.kept_tables import Configs, kept_tables
from nbkit.studies.shared.paper import PAPER_COLUMNS, PAPER_ROWS, STANDARD, WITH_LOSS

TABLES_RECIPE = 3
"""Counts the changes of what the kept tables hold."""

LEAST_RATIO = 1e-3
"""A figure's ratio to the paper's counts as this if it is smaller, or below 0 as an accuracy loss can be."""
LEAST_EXAMPLES = (2, 3, 4, 5)
"""Examples that a latent needs to count in the medians: these are tried, since the paper doesn't tell."""
FRESH_SEEDS = 100
"""Seeds from here on took no part in the choice of recipes and of what is searched."""
BY_EXAMPLES = ("max_distance", "mean_distance", "size")
"""The medians that hang on it."""


@dataclass(frozen=True)
class Search:
    """The settings of the neuron-embedding loss that are tried; all else is as in the standard row.

    The paper starts the loss after 200 steps, has momentum 0.9 and sums over pairs; it doesn't tell lambda 2. The lists
    are what is left of a wider search with one or two seeds: 477 settings, lambda 2 from 1e-3 to 0.05, start 0 to 420.
    """

    ne: Mapping[Over, Sequence[float]] = field(
        default_factory=lambda: {"pairs": (3e-3, 5e-3, 7e-3), "latents": (3e-2,)}
    )
    """The values of lambda 2 for each way of summing; see `NeuronEmbeddingLoss`."""
    ne_start: Sequence[int] = (0, 200, 350, 370)
    """Steps without the loss, of 469."""
    momentum: Sequence[float] = (0.5, 0.9, 0.99)
    """m of equation 6."""
    n_seeds: int = 2
    """Seeds that every setting is tried with."""
    n_best: int = 2
    """Settings that are trained with all seeds, the nearest to the paper's row."""

    def __post_init__(self) -> None:
        if odd := [over for over in self.ne if over not in get_args(Over)]:
            raise NbkitError(f"There is no sum over {odd[0]!r}: choose from {', '.join(get_args(Over))}.")
        if not self.ne:
            raise NbkitError("ne holds no values of lambda 2: give at least one")
        lists: dict[str, Sequence[float]] = {f"ne[{over!r}]": values for over, values in self.ne.items()}
        lists |= {"ne_start": self.ne_start, "momentum": self.momentum}
        for name, values in lists.items():
            if not values or len(set(values)) < len(values):
                raise NbkitError(f"{name} is {list(values)}: give at least one value, and each once")
        if (smallest := min(min(values) for values in self.ne.values())) <= 0:
            raise NbkitError(f"ne holds {smallest}: the loss needs weights above 0")
        for name in ("n_seeds", "n_best"):
            if getattr(self, name) < 1:
                raise NbkitError(f"{name} is {getattr(self, name)}: it must be at least 1")

    def configs(self) -> dict[str, SaeConfig]:
        """All settings by name."""
        found = {}
        for over, start, momentum in product(self.ne, self.ne_start, self.momentum):
            for ne in self.ne[over]:
                config = SaeConfig(ne=ne, ne_start=start, momentum=momentum, ne_over=over)
                found[f"{over}, λ₂ {ne:g}, start {start}, m {momentum:g}"] = config
        return found


@dataclass(frozen=True, eq=False)
class Reproduction:
    """Both rows of the tables, and all that was tried for the second."""

    configs: dict[str, SaeConfig]
    """By name: `STANDARD`, and the settings that were tried."""
    tried: pd.DataFrame
    """`rows_over_seeds` of all settings with the seeds of the search."""
    rows: pd.DataFrame
    """Figures of the standard row, the nearest settings and the `stated` one, with all seeds."""
    fresh: pd.DataFrame
    """Figures of the standard row and the `nearest` setting, with as many seeds that no choice was made by."""

    @property
    def nearest(self) -> str:
        """The setting that is nearest to the paper's row over all seeds."""
        return _nearest(self.rows)

    @property
    def stated(self) -> str | None:
        """The nearest of the settings with the start, the momentum and the sum that the paper states, if one was tried.

        They are the defaults of `SaeConfig`, so that nothing but lambda 2 differs.
        """
        return _stated(self.tried, self.configs)

    @property
    def two_starts(self) -> dict[str, SaeConfig]:
        """The nearest setting and the `stated` one."""
        names = dict.fromkeys((self.nearest, self.stated))
        return {name: self.configs[name] for name in names if name is not None}

    def row(self, row: str) -> pd.DataFrame:
        """This build's figures for a row of `PAPER_ROWS`, by seed."""
        return self.rows[self.rows["name"] == (row if row == STANDARD else self.nearest)]

    def standard_medians(self, least: int) -> pd.DataFrame:
        """The medians of the standard row over the latents with at least so many examples, by seed."""
        return self.row(STANDARD)[[f"{c}_{least}" for c in BY_EXAMPLES]].set_axis(list(BY_EXAMPLES), axis=1)


def reproduce(
    search: Search | None = None, n_seeds: int = 10, seed: int = 0, n_jobs: int = -1, progress: bool = True
) -> Reproduction:
    """Tries all settings of the loss, trains the standard row and the nearest settings with all seeds, and checks both
    rows with as many fresh ones.

    Args:
        search: what is tried.
        n_seeds: seeds from `seed` on; the search takes the first of them. The check takes those from
            `seed + FRESH_SEEDS` on.
        n_jobs: processes, of one thread each; -1 for one a core.
        progress: whether to show bars.

    Raises:
        NbkitError: fewer than 2 seeds, or fewer than the search takes; MNIST can't be fetched; the cache folder can't
            be written.
    """
    search = search or Search()
    if n_seeds < max(2, search.n_seeds):
        raise NbkitError(f"n_seeds is {n_seeds}: a deviation over seeds needs 2, and the search takes {search.n_seeds}")
    configs = search.configs()
    tried = rows_over_seeds(configs, search.n_seeds, seed, n_jobs, progress)
    best = dict.fromkeys([*misses(tried).index[: search.n_best], _stated(tried, configs)])
    chosen = {STANDARD: SaeConfig()} | {name: configs[name] for name in best if name is not None}
    rows = rows_over_seeds(chosen, n_seeds, seed, n_jobs, progress)
    checked = {name: chosen[name] for name in (STANDARD, _nearest(rows))}
    fresh = rows_over_seeds(checked, n_seeds, seed + max(FRESH_SEEDS, n_seeds), n_jobs, progress)
    return Reproduction({STANDARD: SaeConfig()} | configs, tried, rows, fresh)


def rows_over_seeds(
    configs: Mapping[str, SaeConfig], n_seeds: int = 10, seed: int = 0, n_jobs: int = -1, progress: bool = True
) -> pd.DataFrame:
    """Trains and measures each config with `n_seeds` seeds; a seed also makes its own MLP.

    What is finished is kept in the cache folder, so an interrupted run goes on where it was.

    Returns:
        One row per config and seed: `name`, `seed`, the figures of `SaeReport.summary`, and those of `controls`.
    """
    groups: dict[SaeConfig, list[str]] = {}
    for name, config in configs.items():
        groups.setdefault(replace(config, ne=0.0, l1=0.0), []).append(name)  # trained in one computation
    jobs = [(names, number) for number in range(seed, seed + n_seeds) for names in groups.values()]
    asked = [[replace(configs[name], seed=number) for name in names] for names, number in jobs]
    found = kept_tables("tables-2-and-3", TABLES_RECIPE, asked, _measured, n_jobs, progress)
    tables = [table.assign(name=names) for (names, _), table in zip(jobs, found, strict=True)]
    rows: pd.DataFrame = pd.concat(tables, ignore_index=True)
    return rows


def controls(sae: SparseAutoencoder, hidden: Hidden, found: SaeReport, seed: int = 0) -> dict[str, float]:
    """What the distances of an autoencoder are worth.

    Returns:
        Medians over the latents with at least two examples: `max_other` and `mean_other`, the distances of a latent's
        examples with the weights of another of these latents in place of its own; `mean_random`, the mean distance of
        random test inputs with its own weights. And `max_distance_3`, `mean_distance_3`, `size_3` and so on: the
        medians over the latents with at least so many examples.
    """
    size = found.latents["size"].to_numpy()
    living = np.flatnonzero(size >= LEAST_EXAMPLES[0])
    figures = dict.fromkeys(("max_other", "mean_other"), float("nan"))
    if len(living) > 1:
        weights = sae.w_enc.detach().clone()
        weights[:, living] = weights[:, living[other_units(len(living), seed)]]
        distances = example_distances(hidden.test, weights, found.all_examples)
        figures = {name: median(column.numpy()) for name, column in zip(figures, distances, strict=True)}
    figures["mean_random"] = median(control_distances(sae.w_enc, hidden.test, seed)[living])
    for least in LEAST_EXAMPLES:
        figures |= {f"{name}_{least}": median(found.latents[name][size >= least]) for name in BY_EXAMPLES}
    return figures


def misses(rows: pd.DataFrame, row: str = WITH_LOSS) -> pd.DataFrame:
    """How near each config comes to a row of the paper.

    Returns:
        The means over seeds of the eight columns, and `factor`: the geometric mean of the factors by which they miss
        the paper's figures (1 is a perfect match), the nearest config first.
    """
    means = rows.groupby("name", sort=False)[list(PAPER_COLUMNS)].mean()
    means["factor"] = np.exp(np.log(factors(means, row).to_numpy()).mean(axis=1))
    return means.sort_values("factor", kind="stable")


def factors(means: pd.DataFrame, row: str = WITH_LOSS) -> pd.DataFrame:
    """The factor by which each column misses a row of the paper, at least 1."""
    ratios = means[list(PAPER_COLUMNS)].to_numpy(dtype=np.float64) / PAPER_ROWS.loc[[row]].to_numpy()
    missed = np.exp(np.abs(np.log(ratios.clip(LEAST_RATIO))))
    return pd.DataFrame(missed, index=means.index, columns=list(PAPER_COLUMNS))


def joint_factors(means: pd.DataFrame, row: str = WITH_LOSS) -> dict[str, dict[str, float]]:
    """For each two columns how nearly one setting has both.

    Returns:
        The factor by which the worse of the two misses the paper's figure, in the setting where that is smallest; on
        the diagonal that of one column alone.
    """
    missed = factors(means, row)
    return {a: {b: float(missed[[a, b]].max(axis=1).min()) for b in PAPER_COLUMNS} for a in PAPER_COLUMNS}


def _nearest(rows: pd.DataFrame) -> str:
    return str(misses(rows[rows["name"] != STANDARD]).index[0])


def _stated(tried: pd.DataFrame, configs: Mapping[str, SaeConfig]) -> str | None:
    names = [str(name) for name in misses(tried).index]
    return next((name for name in names if configs[name] == SaeConfig(ne=configs[name].ne)), None)


def _measured(configs: Configs) -> pd.DataFrame:
    """The figures of autoencoders of one seed."""
    number = configs[0].seed
    hidden = hidden_of(number)
    rows = []
    for sae in train_saes(hidden.train, configs, progress=False):
        data = hidden.train, hidden.test, hidden.readout, hidden.test_labels
        found = evaluate_sae(sae, *data, threshold=None, dead_below=DEAD_BELOW)
        rows.append({"seed": number, **found.summary, **controls(sae, hidden, found, number)})
    return pd.DataFrame(rows)
