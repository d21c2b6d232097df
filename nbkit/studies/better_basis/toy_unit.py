"""One toy unit whose examples are looked at in the basis of a dictionary at every stage of its training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from nbkit.errors import NbkitError
from nbkit.method.truth.benchmark import BENCHMARK_VERSION
from nbkit.method.truth.contestants import CONTESTANTS
from nbkit.method.truth.standard import PLAIN
from nbkit.method.truth.toys import Toy
from nbkit.method.truth.unit import LabeledUnit
from nbkit.studies.better_basis.stages import EPOCHS, PAPER, PRE_MLP, TRUE, Measured, clear_units, measured, stages_of
from nbkit.studies.shared.kept_tables import kept_table
from nbkit.studies.shared.learned import FEATURES, JOINT

TOY_RECIPE = 1
"""Goes up when a number changes its meaning."""
BEHAVIORS = (5, 8)
"""A unit to look at has at least and at most so many."""
FEWEST_CLEAR = 40
"""Clear examples that it has at least."""


@dataclass(frozen=True, eq=False)
class OneUnit:
    """A unit in all spaces."""

    name: str
    table: pd.DataFrame
    """One row a space and stage: `space`, `epochs`, `unexplained` (0 and NaN for spaces without a dictionary, which
    come first), `auc`, `ari`, `clusters`; and `distances`, those of all pairs i < j, row by row."""
    labels: np.ndarray
    """The behavior of each example, in order."""

    @property
    def behaviors(self) -> int:
        """How many it has."""
        return len(np.unique(self.labels))


def one_unit(toy: Toy = PLAIN[0], epochs: Sequence[int] = EPOCHS) -> OneUnit:
    """The first unit of a toy with 5 to 8 behaviors and at least 40 clear examples; these alone.

    Args:
        toy: the network.
        epochs: stages of the dictionary, see `stages_of`.

    Raises:
        NbkitError: the toy has no such unit.
    """
    request = {"recipe": TOY_RECIPE, "version": BENCHMARK_VERSION, "toy": asdict(toy), "epochs": epochs}
    table = kept_table("one-unit", request, lambda: pd.DataFrame(_rows(chosen(clear_units(toy)), epochs)))
    first = table.iloc[0]
    return OneUnit(str(first["unit"]), table.drop(columns=["unit", "labels"]), np.array(first["labels"]))


def chosen(units: Sequence[LabeledUnit]) -> LabeledUnit:
    """The first unit that is one to look at, its examples ordered by behavior: the largest first."""
    for unit in units:
        if BEHAVIORS[0] <= unit.n_behaviors <= BEHAVIORS[1] and len(unit.labels) >= FEWEST_CLEAR:
            names, number, counts = np.unique(unit.labels, return_inverse=True, return_counts=True)
            return unit.take(np.lexsort((names[number], -counts[number])))
    raise NbkitError(f"No unit has {BEHAVIORS[0]} to {BEHAVIORS[1]} behaviors and {FEWEST_CLEAR} clear examples.")


def _rows(labeled: LabeledUnit, epochs: Sequence[int]) -> Iterator[dict[str, Any]]:
    unit, labels = labeled.unit, labeled.labels
    for space in (PRE_MLP, PAPER, TRUE):
        yield _row(labeled, space, 0, float("nan"), measured(CONTESTANTS[space](unit), labels))
    for stage in stages_of(unit.background, epochs):
        for space, embed in ((FEATURES, stage.features), (JOINT, stage.joint)):
            yield _row(labeled, space, stage.epochs, stage.unexplained, measured(embed(unit), labels))


def _row(labeled: LabeledUnit, space: str, epochs: int, unexplained: float, found: Measured) -> dict[str, Any]:
    return {
        "unit": labeled.name,
        "labels": labeled.labels.tolist(),
        "space": space,
        "epochs": epochs,
        "unexplained": unexplained,
        "auc": found.auc,
        "ari": found.ari,
        "clusters": found.clusters,
        "distances": found.distances[np.triu_indices(len(labeled.labels), 1)].astype(np.float32),
    }
