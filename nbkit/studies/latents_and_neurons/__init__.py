"""The latents of a language model's sparse autoencoders beside its neurons, under equal conditions."""

from nbkit.studies.latents_and_neurons.comparison import compare_units
from nbkit.studies.latents_and_neurons.figures import units_beside_each_other
from nbkit.studies.latents_and_neurons.findings import beside_neurons, quality_table

__all__ = ["beside_neurons", "compare_units", "quality_table", "units_beside_each_other"]
