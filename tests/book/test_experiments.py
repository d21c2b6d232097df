"""What is run for several pages gets the profile's parameters."""

from __future__ import annotations

from typing import Any

import pytest

from nbkit.book import experiments
from nbkit.book.experiments import run_experiments
from nbkit.studies.sae_tables.reproduction import Reproduction
from tests.examples.tables import example_tables


def test_the_parameters_reach_each_experiment(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def remember(name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Reproduction:
            asked[name] = arguments, options
            return example_tables()

        return call

    for name in ("reproduce", "loss_course", "sweep", "other_gradients", "dead_latents"):
        monkeypatch.setattr(experiments, name, remember(name))
    run_experiments(3, 2, 4, {"k": [8]}, {"momentum": [0.5]}, ["decay"], progress=False)
    (search, n_tables, seed), options = asked["reproduce"]
    assert (list(search.momentum), n_tables, seed, options) == ([0.5], 4, 3, {"progress": False})
    assert asked["loss_course"] == ((example_tables().two_starts, 3), {"progress": False})
    (grid, n_seeds, seed), _ = asked["sweep"]
    assert (grid.k, n_seeds, seed) == ((8,), 2, 3)
    assert asked["other_gradients"] == asked["sweep"]
    assert asked["dead_latents"][0] == (2, 3, ["decay"])
