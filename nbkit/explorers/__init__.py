"""Views that work live in JupyterLab and static in the book."""

from nbkit.explorers.atlas import AtlasExplorer
from nbkit.explorers.dendrogram import DendrogramExplorer
from nbkit.explorers.latent import LatentExplorer
from nbkit.explorers.latent_view import LatentView, MlpWeights, activation_curve
from nbkit.explorers.pareto import ParetoExplorer

__all__ = [
    "AtlasExplorer",
    "DendrogramExplorer",
    "LatentExplorer",
    "LatentView",
    "MlpWeights",
    "ParetoExplorer",
    "activation_curve",
]
