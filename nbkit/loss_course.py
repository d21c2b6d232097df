"""How the figures of an autoencoder move while it trains, before and after the neuron-embedding loss sets in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace

import pandas as pd

from nbkit.errors import NbkitError
from nbkit.evaluation import sae_metrics
from nbkit.hidden import hidden_of
from nbkit.results import kept_table
from nbkit.training_run import SaeConfig, TrainingRun

RECIPE = 1
"""Counts the changes of what the kept tables hold."""
FIGURES = ("l0", "max_distance", "mean_distance")


def loss_course(configs: Mapping[str, SaeConfig], seed: int = 0, every: int = 20) -> pd.DataFrame:
    """Trains each config with one seed and measures it on the way.

    Args:
        configs: by name; those that start the loss at different steps are alike until then.
        seed: of the MLP and of the autoencoders.
        every: steps between two measurements; the last step is measured, too.

    Returns:
        One row per config and measurement: `name`, `step`, and `FIGURES` as `sae_metrics` has them, of the test images.

    Raises:
        NbkitError: `every` is below 1; MNIST can't be fetched; the cache folder can't be written.
    """
    if every < 1:
        raise NbkitError(f"every is {every}: it must be at least 1")

    def make() -> pd.DataFrame:
        hidden = hidden_of(seed)
        rows = []
        for name, config in configs.items():
            run = TrainingRun(hidden.train, [replace(config, seed=seed)])
            while run.step < run.n_steps:
                run.advance()
                if run.step % every == 0 or run.step == run.n_steps:
                    [sae] = run.autoencoders()
                    measured = sae_metrics(sae, hidden.train[:1], hidden.test)  # the training images tell of the dead
                    rows.append({"name": name, "step": run.step, **{figure: measured[figure] for figure in FIGURES}})
        return pd.DataFrame(rows)

    request = {"recipe": RECIPE, "configs": {name: asdict(c) for name, c in configs.items()}, "at": [seed, every]}
    return kept_table("loss-course", request, make)
