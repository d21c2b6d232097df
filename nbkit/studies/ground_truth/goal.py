"""The goal of the contest: one space that is above the pre-MLP vector and its own control wherever it counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbkit.studies.ground_truth.findings import KNOWS_TRUTH, TASKS, by_place, difference
from nbkit.studies.shared.estimate import Difference

GOAL_TASKS = ("toy", "merged", "merged probes", "concept", "images")
GOAL_LEADS = ("over_baseline", "over_control")


@dataclass(frozen=True)
class Lead:
    """A difference of pair AUC on a task."""

    task: str
    by: Difference


@dataclass(frozen=True)
class Goal:
    """Whether one space is above the pre-MLP vector and its own control, whole intervals above zero, on all of
    `GOAL_TASKS`; of those that know no truth."""

    tasks: tuple[str, ...]
    """Titles of those of the goal."""
    unmeasured: tuple[str, ...]
    """Those of them that were not measured: then the goal is not met."""
    met: tuple[str, ...]
    """Spaces that meet it."""
    best: str
    """The space that misses the fewest tasks; of equals that whose lowest end of an interval is the highest."""
    missed_vector: tuple[Lead, ...]
    """Leads of the best one over the pre-MLP vector whose intervals are not above zero."""
    missed_control: tuple[Lead, ...]
    """Leads of the best one over itself with another unit's weights, whose intervals are not above zero."""

    @property
    def reached(self) -> tuple[str, ...]:
        """Tasks on which the best one is above both."""
        missed = {*self.unmeasured, *(lead.task for lead in (*self.missed_vector, *self.missed_control))}
        return tuple(task for task in self.tasks if task not in missed)


def goal_of(board: pd.DataFrame) -> Goal:
    """How near the spaces of a leaderboard by task come to the goal."""
    auc = by_place(board, "auc")
    tasks = [task for task in GOAL_TASKS if any(at == task for at, _ in auc)]
    names = dict.fromkeys(name for _, name in auc if not name.startswith(KNOWS_TRUTH))

    def leads(name: str, over: str) -> tuple[Lead, ...]:
        return tuple(Lead(TASKS[task], difference(auc.get((task, name), {}), over)) for task in tasks)

    def missed(name: str, over: str) -> tuple[Lead, ...]:
        return tuple(lead for lead in leads(name, over) if lead.by.sign < 1)

    def nearness(name: str) -> tuple[int, float]:
        lows = [lead.by.low for over in GOAL_LEADS for lead in leads(name, over)]
        tasks_missed = {lead.task for over in GOAL_LEADS for lead in missed(name, over)}
        return -len(tasks_missed), min((-np.inf if np.isnan(low) else low for low in lows), default=-np.inf)

    best = max(names, key=nearness)
    unmeasured = tuple(TASKS[task] for task in GOAL_TASKS if task not in tasks)
    met = () if unmeasured else tuple(name for name in names if not any(missed(name, over) for over in GOAL_LEADS))
    over_vector, over_control = (missed(best, over) for over in GOAL_LEADS)
    return Goal(tuple(TASKS[task] for task in GOAL_TASKS), unmeasured, met, best, over_vector, over_control)
