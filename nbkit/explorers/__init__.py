"""Views that work live in JupyterLab and static in the book."""

from nbkit.explorers.dendrogram import DendrogramExplorer
from nbkit.explorers.latent import LatentExplorer
from nbkit.explorers.latent_view import LatentView, MlpWeights, activation_curve
from nbkit.explorers.pareto import ParetoExplorer

__all__ = ["DendrogramExplorer", "LatentExplorer", "LatentView", "MlpWeights", "ParetoExplorer", "activation_curve"]
