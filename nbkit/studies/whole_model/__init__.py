"""All neurons of a model, and two clustering algorithms."""

from nbkit.studies.whole_model.clustering_methods import compare_methods, summarize_methods
from nbkit.studies.whole_model.findings import example_counts, extremes
from nbkit.studies.whole_model.one_coordinate import coordinates_table, one_coordinate, without_coordinates

__all__ = [
    "compare_methods",
    "coordinates_table",
    "example_counts",
    "extremes",
    "one_coordinate",
    "summarize_methods",
    "without_coordinates",
]
