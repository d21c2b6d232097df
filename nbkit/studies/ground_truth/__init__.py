"""Ground truth: the benchmark of `nbkit.method.truth` on units of a real model."""

from nbkit.studies.ground_truth.merged import merged_neurons

__all__ = ["merged_neurons"]
