"""What the neuron-embedding loss buys at equal sparsity and at equal error."""

from nbkit.studies.trade_off.experiment import OTHER_GRADIENTS, Grid, other_gradients, sweep
from nbkit.studies.trade_off.figures import matched_intervals, trade_off_curves
from nbkit.studies.trade_off.findings import (
    answered,
    compared,
    compared_gradients,
    counted_gradients,
    matched_answer,
    neurons_read,
)
from nbkit.studies.trade_off.tables import answers_table, by_gradient, matched_table, sweep_ranges

__all__ = [
    "OTHER_GRADIENTS",
    "Grid",
    "answered",
    "answers_table",
    "by_gradient",
    "compared",
    "compared_gradients",
    "counted_gradients",
    "matched_answer",
    "matched_intervals",
    "matched_table",
    "neurons_read",
    "other_gradients",
    "sweep",
    "sweep_ranges",
    "trade_off_curves",
]
