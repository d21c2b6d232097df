"""Ground truth: the benchmark of `nbkit.method.truth` on units of a real model, and contestants that learn a basis."""

from nbkit.studies.ground_truth.images import image_units
from nbkit.studies.ground_truth.learned import LEARNED
from nbkit.studies.ground_truth.merged import merged_neurons

__all__ = ["LEARNED", "image_units", "merged_neurons"]
