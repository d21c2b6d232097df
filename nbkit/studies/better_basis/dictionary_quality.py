"""How good must a dictionary be? Spaces in its basis on toys' units, by how well it was trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from nbkit.method.truth.benchmark import BENCHMARK_VERSION
from nbkit.method.truth.contestants import CONTESTANTS
from nbkit.method.truth.standard import PLAIN
from nbkit.method.truth.toys import Toy
from nbkit.parallel.pool import in_processes
from nbkit.studies.better_basis.stages import EPOCHS, PRE_MLP, TRUE, clear_units, conditions, stages_of
from nbkit.studies.shared.kept_tables import kept_table
from nbkit.studies.shared.learned import FEATURES, JOINT

DICTIONARY_RECIPE = 1
"""Goes up when a number changes its meaning."""
LATENTS = (240, 60)
"""Twice as many as a toy has features, and half as many."""


def quality(
    toys: int = 3,
    most: int = 8,
    epochs: Sequence[int] = EPOCHS,
    latents: Sequence[int] = LATENTS,
    n_jobs: int = -1,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure units of plain toys in the bases of dictionaries that were trained for longer and longer.

    Args:
        toys: plain toys of the benchmark, the first ones.
        most: units of each, the first ones.
        epochs: stages of each dictionary, see `stages_of`.
        latents: widths of the dictionaries.

    Returns:
        One row a unit, space, condition and stage: `group` (the toy), `unit`, `space`, `condition` ("own", or
        "shuffled": with another unit's weights), `latents`, `epochs`, `unexplained`, `auc` and `ari`. Spaces without a
        dictionary have 0, 0 and NaN there.
    """
    tasks = [(toy, most, tuple(epochs), tuple(latents)) for toy in PLAIN[:toys]]
    n_jobs = n_jobs if len(tasks) > 1 else 1  # another process would train for itself what `one_unit` needs
    tables: list[pd.DataFrame] = in_processes(of_toy, tasks, n_jobs, "dictionaries", "toy", progress)
    return pd.concat(tables, ignore_index=True)


def of_toy(toy: Toy, most: int, epochs: Sequence[int], latents: Sequence[int]) -> pd.DataFrame:
    """See `quality`, of one toy; kept."""
    request = {"recipe": DICTIONARY_RECIPE, "version": BENCHMARK_VERSION, "toy": asdict(toy)}
    request |= {"most": most, "epochs": epochs}
    return kept_table(
        "better-basis", request | {"latents": latents}, lambda: pd.DataFrame(_measure(toy, most, epochs, latents))
    )


def _measure(toy: Toy, most: int, epochs: Sequence[int], latents: Sequence[int]) -> Iterator[dict[str, Any]]:
    units = clear_units(toy)[:most]
    nothing = {"latents": 0, "epochs": 0, "unexplained": float("nan")}
    for unit in units:
        for space in (PRE_MLP, TRUE):
            yield from conditions(unit, space, CONTESTANTS[space], nothing)
    for width in latents:
        for stage in stages_of(units[0].unit.background, epochs, width):
            about = {"latents": width, "epochs": stage.epochs, "unexplained": stage.unexplained}
            for unit in units:
                for space, embed in ((FEATURES, stage.features), (JOINT, stage.joint)):
                    yield from conditions(unit, space, embed, about)
