"""The hidden layer of the MLP on MNIST, held against other images and other weights."""

from nbkit.studies.hidden_layer.figures import hidden_distributions, hidden_maps
from nbkit.studies.hidden_layer.findings import (
    hidden_neurons,
    hidden_spaces_table,
    mlp_accuracy,
    what_polysemantic_means,
)
from nbkit.studies.hidden_layer.spaces import compare_hidden_spaces, strongest_images

__all__ = [
    "compare_hidden_spaces",
    "hidden_distributions",
    "hidden_maps",
    "hidden_neurons",
    "hidden_spaces_table",
    "mlp_accuracy",
    "strongest_images",
    "what_polysemantic_means",
]
