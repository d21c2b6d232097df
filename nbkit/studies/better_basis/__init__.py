"""A better basis: equation 1 in the features of a dictionary, how good it must be, and clusters that name features."""

from nbkit.studies.better_basis.dictionary_quality import quality
from nbkit.studies.better_basis.figures import recovered
from nbkit.studies.better_basis.findings import found_in, stages_table
from nbkit.studies.better_basis.named_clusters import clusters_named, one_neuron
from nbkit.studies.better_basis.toy_unit import one_unit

__all__ = ["clusters_named", "found_in", "one_neuron", "one_unit", "quality", "recovered", "stages_table"]
