"""All neurons of a model, and two clustering algorithms."""

from nbkit.studies.whole_model.clustering_methods import compare_methods, summarize_methods
from nbkit.studies.whole_model.findings import example_counts, extremes

__all__ = ["compare_methods", "example_counts", "extremes", "summarize_methods"]
