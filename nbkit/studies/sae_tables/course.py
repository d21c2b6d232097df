"""How the figures of an autoencoder move while it trains, before and after the neuron-embedding loss sets in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from nbkit.mnist.hidden import hidden_of
from nbkit.sae.config import SaeConfig
from nbkit.sae.evaluation import DEAD_BELOW, evaluate_sae
from nbkit.sae.training_run import TrainingRun
from nbkit.studies.shared.kept_tables import Configs, kept_tables

COURSE_RECIPE = 2
"""Counts the changes of what the kept tables hold."""
COURSE_FIGURES = ("l0", "max_distance", "mean_distance")
MEASURED_EVERY = 20
"""Steps between two measurements; the last step is measured, too."""


def loss_course(
    configs: Mapping[str, SaeConfig], seed: int = 0, n_jobs: int = -1, progress: bool = True
) -> pd.DataFrame:
    """Trains each config with one seed and measures it on the way.

    Args:
        configs: by name; those that start the loss at different steps are alike until then.
        seed: of the MLP and of the autoencoders.
        n_jobs: processes, of one thread each; -1 for one a core.
        progress: whether to show a bar.

    Returns:
        One row per config and measurement: `name`, `step`, and `COURSE_FIGURES` of the test images (see
        `SaeReport.summary`).

    Raises:
        NbkitError: MNIST can't be fetched; the cache folder can't be written.
    """
    asked = [[replace(config, seed=seed)] for config in configs.values()]
    found = kept_tables("loss-course", COURSE_RECIPE, asked, _measured, n_jobs, progress)
    return pd.concat([table.assign(name=name) for name, table in zip(configs, found, strict=True)], ignore_index=True)


def _measured(configs: Configs) -> pd.DataFrame:
    """The rows of one autoencoder."""
    [config] = configs
    hidden = hidden_of(config.seed)
    run = TrainingRun(hidden.train, configs)
    rows = []
    while run.step < run.n_steps:
        run.advance()
        if run.step % MEASURED_EVERY == 0 or run.step == run.n_steps:
            [sae] = run.autoencoders()
            some = hidden.train[:1]  # the training images tell of the dead alone, who are no figure here
            measured = evaluate_sae(sae, some, hidden.test, threshold=None, dead_below=DEAD_BELOW).summary
            rows.append({"step": run.step, **{figure: measured[figure] for figure in COURSE_FIGURES}})
    return pd.DataFrame(rows)
