"""The hidden layer of the MLP on MNIST, held against other images and other weights."""

from nbkit.studies.hidden_layer.figures import hidden_distributions, hidden_maps
from nbkit.studies.hidden_layer.findings import control_differences, hidden_neurons, mlp_training
from nbkit.studies.hidden_layer.spaces import compare_hidden_spaces, hidden_spaces_table, strongest_images

__all__ = [
    "compare_hidden_spaces",
    "control_differences",
    "hidden_distributions",
    "hidden_maps",
    "hidden_neurons",
    "hidden_spaces_table",
    "mlp_training",
    "strongest_images",
]
