"""What others needed for all neurons of a large model, as it is quoted, beside what a plan predicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbkit.studies.large_run.workers import Run
from nbkit.studies.shared.table import BookTable


@dataclass(frozen=True)
class Published:
    """A run that others tell of."""

    who: str
    model: str
    tokens: float
    """NaN where the quoted figure doesn't tell."""
    hours: float
    gpus: int


PUBLISHED_RUNS = (
    Published("Transluce", "Llama-8B, all neurons", np.nan, 64.0, 2),
    Published("GLUScope", "OLMo-7B", 20e6, 5 * 24.0, 1),
)
"""Both on A100."""


def beside_published(run: Run, model: str, n_tokens: int) -> BookTable:
    """The hours of others, which were measured, beside those of a plan, which are predicted.

    Args:
        run: the plan's.
        model: its model's name.
        n_tokens: of its text.
    """
    rows = [(f"{each.who}, as published", each.model, each.tokens, each.gpus, each.hours) for each in PUBLISHED_RUNS]
    rows.append(("this plan, predicted", model, float(n_tokens), run.cluster.n_workers, run.hours))
    cells = pd.DataFrame(
        {
            "model": [row[1] for row in rows],
            "million tokens": [row[2] / 1e6 for row in rows],
            "A100": [row[3] for row in rows],
            "hours": [row[4] for row in rows],
            "A100 hours": [row[3] * row[4] for row in rows],
        },
        index=[row[0] for row in rows],
    )
    return BookTable("published", cells, {"million tokens": 0, "hours": 1, "A100 hours": 0})
