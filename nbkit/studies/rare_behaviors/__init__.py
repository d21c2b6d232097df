"""Common and rare behaviors of one neuron, and how often that happens."""

from nbkit.studies.rare_behaviors.findings import behaviors

__all__ = ["behaviors"]
