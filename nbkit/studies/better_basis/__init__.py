"""A better basis: equation 1 in the features of a dictionary, how good it must be, and clusters that name features."""

from nbkit.studies.better_basis.dictionary_quality import quality
from nbkit.studies.better_basis.figures import recovered, recovered_in_layers
from nbkit.studies.better_basis.findings import found_in, stages_table
from nbkit.studies.better_basis.held_out_names import held_names, names_on_held_out
from nbkit.studies.better_basis.layer_dictionaries import layer_quality
from nbkit.studies.better_basis.layer_findings import found_in_layers, layers_table
from nbkit.studies.better_basis.named_clusters import (
    clusters_named,
    drawn_neurons,
    layer_in_basis,
    layer_named,
    one_neuron,
)
from nbkit.studies.better_basis.toy_unit import one_unit
from nbkit.studies.shared.planted.layers import TextUnits

__all__ = [
    "TextUnits",
    "clusters_named",
    "drawn_neurons",
    "found_in",
    "found_in_layers",
    "held_names",
    "layer_in_basis",
    "layer_named",
    "layer_quality",
    "layers_table",
    "names_on_held_out",
    "one_neuron",
    "one_unit",
    "quality",
    "recovered",
    "recovered_in_layers",
    "stages_table",
]
