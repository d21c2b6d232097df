"""A latent like that of the paper's Figure 5, found by rule."""

from __future__ import annotations

from nbkit.method.choice import Rules
from nbkit.mnist.choice import LEAST_RANKED, LatentChoice, choose, has_enough
from nbkit.mnist.view import LatentView
from nbkit.studies.shared.paper import FIGURE_5

BROAD = 100
"""Test images that activate a latent that counts as broad."""


def broad_single_cluster(view: LatentView, latent: int | None = None) -> LatentChoice:
    """A latent like the paper's Figure 5: one feature cluster, and many inputs in it; or the one that is asked for.

    Args:
        view: the autoencoder's.
        latent: the number of the latent to show whatever the rule.

    Raises:
        NbkitError: there is no such latent, or none with a single cluster.
    """
    mean, largest = FIGURE_5["mean_distance"], FIGURE_5["max_distance"]
    rules: Rules = {
        f"one feature cluster, at least {BROAD} examples, and mean and maximum distance, rounded, at most the {mean} "
        f"and {largest} of the paper's Figure 5": lambda t: (
            (t["n_clusters"] == 1)
            & (t["n_examples"] >= BROAD)
            & (t["mean_distance"].round(2) <= mean)
            & (t["max_distance"].round(2) <= largest)
        ),
        f"one feature cluster and at least {LEAST_RANKED} examples": lambda t: (t["n_clusters"] == 1) & has_enough(t),
    }
    aim = "the one that can move the logits furthest: its largest activation times the range of its logit effects"
    return choose(view, latent, rules, aim, view.logit_ranges)
