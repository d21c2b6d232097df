"""The paper's figures and the book's own, one function each, returning a matplotlib `Figure`."""

from nbkit.figures.dead_latents import dead_by_variant, dead_over_training
from nbkit.figures.dendrogram import cluster_dendrogram, rare_behaviour
from nbkit.figures.hidden_layer import hidden_distributions, hidden_maps
from nbkit.figures.illustration import embedding_illustration
from nbkit.figures.latent import cluster_images, latent_up_close
from nbkit.figures.sae_tables import course_of_the_loss, settings_tried
from nbkit.figures.spaces import compare_embedding_spaces
from nbkit.figures.table import table1_intervals
from nbkit.figures.trade_off import matched_intervals, trade_off_curves
from nbkit.figures.whole_model import largest_share_distribution, metric_distributions, polysemanticity_by_layer

__all__ = [
    "cluster_dendrogram",
    "cluster_images",
    "compare_embedding_spaces",
    "course_of_the_loss",
    "dead_by_variant",
    "dead_over_training",
    "embedding_illustration",
    "hidden_distributions",
    "hidden_maps",
    "largest_share_distribution",
    "latent_up_close",
    "matched_intervals",
    "metric_distributions",
    "polysemanticity_by_layer",
    "rare_behaviour",
    "settings_tried",
    "table1_intervals",
    "trade_off_curves",
]
