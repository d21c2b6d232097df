"""Tables 2 and 3: sparse autoencoders with and without the neuron-embedding loss, over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import product

import numpy as np
import pandas as pd
import torch

from nbkit.evaluation import sae_metrics
from nbkit.hidden import Hidden, hidden_of
from nbkit.results import kept_table
from nbkit.training import SaeConfig, train_saes

RECIPE = 1
"""Counts the changes of what the kept tables hold."""

COLUMNS = ("mse", "l1", "l0", "accuracy_loss", "max_distance", "mean_distance", "size", "dead")
"""Tables 2 and 3, in the paper's order."""

PAPER = pd.DataFrame(
    [(0.33, 2600, 2.4, 1.5, 0.45, 0.21, 7, 23.8), (0.55, 3300, 9.1, 4.6, 0.28, 0.08, 32, 3.7)],
    columns=list(COLUMNS),
    index=["standard", "+ NE loss"],
)
"""The paper's rows."""


def rows_over_seeds(configs: Mapping[str, SaeConfig], n_seeds: int = 10, seed: int = 0) -> pd.DataFrame:
    """Trains and evaluates each config with `n_seeds` seeds; a seed also makes its own MLP.

    Returns:
        One row per config and seed: `name`, `seed`, and the figures of `sae_metrics`.
    """
    request = {"recipe": RECIPE, "configs": {k: asdict(c) for k, c in configs.items()}, "seeds": [seed, n_seeds]}

    def make() -> pd.DataFrame:
        rows = []
        for number in range(seed, seed + n_seeds):
            rows += _evaluated(hidden_of(number), {k: replace(c, seed=number) for k, c in configs.items()}, number)
        return pd.DataFrame(rows)

    return kept_table("rows-over-seeds", request, make)


def grid(values: Mapping[str, Sequence[object]], base: SaeConfig) -> dict[str, SaeConfig]:
    """All combinations of the values of some fields of a config, by name."""
    found = {}
    for combination in product(*values.values()):
        fields = dict(zip(values, combination, strict=True))
        found[", ".join(f"{k}={v}" for k, v in fields.items())] = replace(base, **fields)  # type: ignore[arg-type]
    return found


def distance_to_paper(rows: pd.DataFrame, row: str = "+ NE loss") -> pd.DataFrame:
    """How near each config comes to a row of the paper.

    Returns:
        The means over seeds of the eight columns, and `factor`: the geometric mean of the factors by which they miss
        the paper's figures (1 is a perfect match), the nearest config first.
    """
    means = rows.groupby("name", sort=False)[list(COLUMNS)].mean()
    ratios = (means / PAPER.loc[row]).clip(lower=1e-3)
    means["factor"] = np.exp(np.abs(np.log(ratios)).mean(axis=1))
    return means.sort_values("factor")


def _evaluated(hidden: Hidden, configs: Mapping[str, SaeConfig], seed: int) -> list[dict[str, object]]:
    saes = train_saes(hidden.train, list(configs.values()), progress=False)
    with torch.inference_mode():
        return [
            {
                "name": name,
                "seed": seed,
                **sae_metrics(sae, hidden.train, hidden.test, hidden.readout, hidden.test_labels, hidden.test_pixels),
            }
            for name, sae in zip(configs, saes, strict=True)
        ]
