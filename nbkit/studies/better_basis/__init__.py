"""A better basis: equation 1 in the features of a dictionary, how good it must be, and clusters that name features."""

from nbkit.studies.better_basis.figures import recovered
from nbkit.studies.better_basis.findings import found_in, stages_table
from nbkit.studies.better_basis.named_clusters import clusters_named, one_neuron
from nbkit.studies.better_basis.one_unit import one_unit
from nbkit.studies.better_basis.quality import quality

__all__ = ["clusters_named", "found_in", "one_neuron", "one_unit", "quality", "recovered", "stages_table"]
