"""Common and rare behaviors of one neuron, and how often that happens."""

from nbkit.studies.rare_behaviors.findings import rare_behaviors

__all__ = ["rare_behaviors"]
