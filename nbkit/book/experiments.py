"""The experiments of the book's second part, which several pages read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nbkit.studies.dead_latents.experiment import dead_latents
from nbkit.studies.dead_latents.variants import QUESTIONS
from nbkit.studies.sae_tables.course import loss_course
from nbkit.studies.sae_tables.reproduction import Search, reproduce
from nbkit.studies.trade_off.experiment import Grid, other_gradients, sweep


def run_experiments(
    seed: int = 0,
    n_seeds: int = 5,
    n_seeds_tables: int = 10,
    grid: Mapping[str, Any] | None = None,
    search: Mapping[str, Any] | None = None,
    questions: Sequence[str] = tuple(QUESTIONS),
    progress: bool = True,
) -> None:
    """Runs what has not been run before with these parameters; the tables are kept in the cache folder, where the pages
    find them.

    Args:
        seed: the first.
        n_seeds: seeds of the sweep and of the dead latents.
        n_seeds_tables: seeds of Tables 2 and 3.
        grid: fields of `nbkit.studies.trade_off.experiment.Grid` that are not its defaults.
        search: fields of `nbkit.studies.sae_tables.reproduction.Search` that are not its defaults.
        questions: of `nbkit.studies.dead_latents.experiment.dead_latents`.
        progress: whether to show bars.

    Raises:
        NbkitError: as `reproduce`, `loss_course`, `sweep`, `other_gradients` and `dead_latents`.
    """
    tables = reproduce(Search(**(search or {})), n_seeds_tables, seed, progress=progress)
    loss_course(tables.two_starts, seed, progress=progress)
    sweep(Grid(**(grid or {})), n_seeds, seed, progress=progress)
    other_gradients(Grid(**(grid or {})), n_seeds, seed, progress=progress)
    dead_latents(n_seeds, seed, questions, progress=progress)
