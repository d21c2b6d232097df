"""Views that work live in JupyterLab and static in the book."""

from nbkit.explorers.dendrogram import DendrogramExplorer

__all__ = ["DendrogramExplorer"]
