"""The numbers that the paper gives."""

from __future__ import annotations

import pandas as pd

MODEL, N_LAYERS, N_NEURONS = "GPT2-small", 12, 36_864
CORPUS, N_CONTEXTS = "OpenWebText", 10_000
MAXIMA_FROM = "Neuroscope, a much larger corpus"
THRESHOLD, MAX_EXAMPLES = 0.75, 100
"""An example reaches this share of the maximum; so many are kept, the first."""
TABLE_1 = {
    "pre_mlp": {"intra_cluster": 0.31, "inter_cluster": 0.63},
    "neuron": {"intra_cluster": 0.21, "inter_cluster": 0.73},
}
"""Means over all neurons."""
CLUSTERS_OF_ONE = 6
"""Clusters of the neuron in Figure 2."""
COMMON_TO_RARE = 50
"""Examples of the common behavior for one of the rare one in Figure 3, almost."""

MLP_ACCURACY = 94.0
"""Of the MLP on the test images, in percent."""

FIGURE_5 = {"mean_distance": 0.01, "max_distance": 0.04}
"""The latent of Figure 5, which has a single feature cluster."""

STANDARD, WITH_LOSS = "standard", "+ NE loss"
"""The rows of Tables 2 and 3."""

PAPER_DIGITS = {
    "mse": 2,
    "l1": -2,
    "l0": 1,
    "accuracy_loss": 1,
    "max_distance": 2,
    "mean_distance": 2,
    "size": 0,
    "dead": 1,
}
"""The columns of Tables 2 and 3 in the paper's order, with the decimals that it prints; L1 is in hundreds."""
PAPER_COLUMNS = tuple(PAPER_DIGITS)
PAPER_ROUNDING = {column: 0.5 * 10.0**-digits for column, digits in PAPER_DIGITS.items()}
"""Half a unit of the last digit that is printed."""

PAPER_ROWS = pd.DataFrame(
    [(0.33, 2600, 2.4, 1.5, 0.45, 0.21, 7, 23.8), (0.55, 3300, 9.1, 4.6, 0.28, 0.08, 32, 3.7)],
    columns=list(PAPER_COLUMNS),
    index=[STANDARD, WITH_LOSS],
)
"""Tables 2 and 3."""


def paper_row(row: str) -> dict[str, float]:
    """The figures of one row of Tables 2 and 3."""
    return {column: float(PAPER_ROWS[column].to_dict()[row]) for column in PAPER_COLUMNS}
