"""What the neuron-embedding loss buys at equal sparsity and at equal error."""

from nbkit.studies.trade_off.experiment import Grid, other_gradients, sweep
from nbkit.studies.trade_off.figures import matched_intervals, trade_off_curves
from nbkit.studies.trade_off.findings import (
    by_gradient,
    compared,
    compared_gradients,
    left_out,
    matched_answer,
    matched_table,
    sweep_ranges,
    what_gradients_say,
    what_is_read,
)

__all__ = [
    "Grid",
    "by_gradient",
    "compared",
    "compared_gradients",
    "left_out",
    "matched_answer",
    "matched_intervals",
    "matched_table",
    "other_gradients",
    "sweep",
    "sweep_ranges",
    "trade_off_curves",
    "what_gradients_say",
    "what_is_read",
]
