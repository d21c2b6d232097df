"""What the start page finds about sparse autoencoders, and that all pages read the same experiments."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import nbkit.studies.index.experiments
from nbkit.sae.config import SaeConfig
from nbkit.sae.loss import Gradient
from nbkit.studies.index.experiments import Experiments, run_experiments
from nbkit.studies.index.training_findings import training_findings
from nbkit.studies.sae_tables.reproduction import Reproduction
from nbkit.studies.shared.paper import PAPER_COLUMNS, PAPER_ROWS, STANDARD, WITH_LOSS
from nbkit.studies.trade_off.findings import Count
from tests.examples.dead_latents import example_dead
from tests.examples.sweep import example_sweep
from tests.examples.tables import example_course

SETTINGS = {"far": SaeConfig(ne=1e-2), "near": SaeConfig(ne=5e-3)}


def rows(name: str, row: str, factor: float) -> pd.DataFrame:
    """A config whose figures all miss a row of the paper by a factor, over two seeds."""
    return pd.DataFrame(
        [{"name": name, "seed": seed, "accuracy": 93.0, **(PAPER_ROWS.loc[row] * factor)} for seed in (0, 1)]
    )


def example_tables() -> Reproduction:
    with_loss = pd.concat([rows("far", WITH_LOSS, 3.0), rows("near", WITH_LOSS, 0.5)])
    both = pd.concat([rows(STANDARD, STANDARD, 1.25), with_loss])
    return Reproduction({STANDARD: SaeConfig(), **SETTINGS}, with_loss, both, both)


def test_the_start_page_reads_all_experiments() -> None:
    sweep = example_sweep()
    relu = sweep[sweep["activation"] == "relu"]
    others: dict[Gradient, pd.DataFrame] = {"average": relu, "opposite": sweep}
    found = training_findings(Experiments(example_tables(), example_course(), sweep, others, example_dead(noise=0)))
    assert (found.with_loss.n_figures, found.with_loss.n_settings) == (len(PAPER_COLUMNS), 2)
    assert (found.standard.factor.value, found.with_loss.factor.value) == pytest.approx((1.25, 2))
    # with a step up in all measures three of the four independent ones are better and one worse
    assert found.at_l0.count.value == found.at_mse.count.value == Count(6, 2, 8)
    assert found.average_at_mse.count.value == found.at_l0.control.value == found.at_mse.control.value == Count(3, 1, 4)
    assert f"{found.saving.standard.value:.1f%}" == "30.0%"
    assert found.decay.name == "Protection from weight decay" and found.decay.is_main


def test_the_parameters_reach_each_experiment(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def remember(name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Reproduction:
            asked[name] = arguments, options
            return example_tables()

        return call

    for name in ("reproduce", "loss_course", "sweep", "other_gradients", "dead_latents"):
        monkeypatch.setattr(nbkit.studies.index.experiments, name, remember(name))
    run_experiments(3, 2, 4, {"k": [8]}, {"momentum": [0.5]}, ["decay"], progress=False)
    (search, n_tables, seed), options = asked["reproduce"]
    assert (list(search.momentum), n_tables, seed, options) == ([0.5], 4, 3, {"progress": False})
    assert asked["loss_course"] == ((example_tables().two_starts, 3), {"progress": False})
    (grid, n_seeds, seed), _ = asked["sweep"]
    assert (grid.k, n_seeds, seed) == ((8,), 2, 3)
    assert asked["other_gradients"] == asked["sweep"]
    assert asked["dead_latents"][0] == (2, 3, ["decay"])
