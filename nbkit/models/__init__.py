"""Language models of Hugging Face: their MLP layers, their weights, and what their neurons receive."""

from nbkit.models.language_model import LanguageModel
from nbkit.models.opening import load_model
from nbkit.models.weights import NeuronWeights, activation_function

__all__ = ["LanguageModel", "NeuronWeights", "activation_function", "load_model"]
