"""Table 1: neuron embeddings against pre-MLP vectors, with the control."""

from nbkit.studies.embedding_spaces.figures import table1_intervals
from nbkit.studies.embedding_spaces.findings import paired_table, separation, table1
from nbkit.studies.embedding_spaces.outlier_treatments import compare_treatments, outliers, treatments_table
from nbkit.studies.shared.space_comparison import compare_spaces, spaces_of

__all__ = [
    "compare_spaces",
    "compare_treatments",
    "outliers",
    "paired_table",
    "separation",
    "spaces_of",
    "table1",
    "table1_intervals",
    "treatments_table",
]
