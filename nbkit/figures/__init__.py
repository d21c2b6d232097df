"""The paper's figures and the book's own, one function each, returning a matplotlib `Figure`."""

from nbkit.figures.dendrogram import cluster_dendrogram, rare_behavior
from nbkit.figures.illustration import embedding_illustration
from nbkit.figures.latent import cluster_images, latent_up_close
from nbkit.figures.spaces import compare_embedding_spaces
from nbkit.figures.whole_model import largest_share_distribution, metric_distributions, polysemanticity_by_layer

__all__ = [
    "cluster_dendrogram",
    "cluster_images",
    "compare_embedding_spaces",
    "embedding_illustration",
    "largest_share_distribution",
    "latent_up_close",
    "metric_distributions",
    "polysemanticity_by_layer",
    "rare_behavior",
]
