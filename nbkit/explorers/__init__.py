"""Views that work live in JupyterLab and static in the book."""

from nbkit.explorers.atlas.atlas import AtlasExplorer
from nbkit.explorers.basis.basis import BasisExplorer
from nbkit.explorers.dendrogram.dendrogram import DendrogramExplorer
from nbkit.explorers.latent.latent import LatentExplorer
from nbkit.explorers.leaderboard.leaderboard import LeaderboardExplorer
from nbkit.explorers.live_neuron.live_neuron import LiveNeuron
from nbkit.explorers.pareto.pareto import ParetoExplorer

__all__ = [
    "AtlasExplorer",
    "BasisExplorer",
    "DendrogramExplorer",
    "LatentExplorer",
    "LeaderboardExplorer",
    "LiveNeuron",
    "ParetoExplorer",
]
