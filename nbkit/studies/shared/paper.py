"""The numbers that the paper gives."""

from __future__ import annotations

import pandas as pd

COLUMNS = ("mse", "l1", "l0", "accuracy_loss", "max_distance", "mean_distance", "size", "dead")
"""Tables 2 and 3, in the paper's order."""


STANDARD, WITH_LOSS = "standard", "+ NE loss"


PAPER = pd.DataFrame(
    [(0.33, 2600, 2.4, 1.5, 0.45, 0.21, 7, 23.8), (0.55, 3300, 9.1, 4.6, 0.28, 0.08, 32, 3.7)],
    columns=list(COLUMNS),
    index=[STANDARD, WITH_LOSS],
)
"""The paper's rows."""

FIGURE_5 = {"mean_distance": 0.01, "max_distance": 0.04}
"""The paper's latent with a single feature cluster."""


def paper_row(row: str) -> dict[str, float]:
    """The paper's figures of one row."""
    return {column: float(PAPER[column].to_dict()[row]) for column in COLUMNS}


MLP_ACCURACY = 94.0
"""Of the paper's MLP on the test images, in per cent."""
