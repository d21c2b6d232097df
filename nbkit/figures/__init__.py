"""The paper's figures and the book's own, one function each, returning a matplotlib `Figure`."""

from nbkit.figures.dendrogram import cluster_dendrogram, rare_behaviour
from nbkit.figures.illustration import embedding_illustration
from nbkit.figures.spaces import compare_embedding_spaces
from nbkit.figures.table import table1_intervals
from nbkit.figures.trade_off import matched_intervals, trade_off_curves
from nbkit.figures.whole_model import largest_share_distribution, metric_distributions, polysemanticity_by_layer

__all__ = [
    "cluster_dendrogram",
    "compare_embedding_spaces",
    "embedding_illustration",
    "largest_share_distribution",
    "matched_intervals",
    "metric_distributions",
    "polysemanticity_by_layer",
    "rare_behaviour",
    "table1_intervals",
    "trade_off_curves",
]
