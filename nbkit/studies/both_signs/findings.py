"""The quadrants of gated neurons on both sides of zero, as a table."""

from __future__ import annotations

import pandas as pd

from nbkit.atlas.quadrants import QUADRANTS
from nbkit.features.quadrant_table import quadrants_of
from nbkit.studies.both_signs.atlases import BothSides
from nbkit.studies.shared.estimate import Estimate
from nbkit.studies.shared.table import BookTable


def quadrant_table(sides: BothSides, seed: int = 0) -> BookTable:
    """The mean share of a neuron's examples in each quadrant, above zero and below; empty of neurons that aren't gated.

    Args:
        seed: of the intervals.
    """
    if not sides.positive.manifest.gated:
        return BookTable("quadrants", pd.DataFrame())
    tables = {
        "above zero": quadrants_of(sides.positive, progress=False),
        "below zero": quadrants_of(sides.negative, progress=False),
    }
    cells = {title: [Estimate.over_units(table[name], seed) for name in QUADRANTS] for title, table in tables.items()}
    return BookTable("quadrants", pd.DataFrame(cells, index=list(QUADRANTS)), as_half=True)
