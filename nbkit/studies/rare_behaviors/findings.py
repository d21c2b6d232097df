"""How the behaviors of neurons are distributed, and how often a common one hides a rare one."""

from __future__ import annotations

from dataclasses import dataclass

from nbkit.atlas.atlas import Atlas
from nbkit.figures.whole_model import COMMON_SHARE
from nbkit.studies.shared.populations import ENOUGH_EXAMPLES, has_examples, metric_name, named, scanned, with_enough
from nbkit.studies.shared.quantity import Quantity


@dataclass(frozen=True)
class Behaviors:
    """How the behaviors of the neurons with enough examples are distributed, at a cut of 0.5."""

    n_neurons: Quantity[int]
    """Neurons scanned."""
    at_least: int
    """Examples that are enough."""
    n_enough: Quantity[int]
    """Neurons with so many examples, over which the rest is taken."""
    median_clusters: Quantity[float]
    """Clusters of the median neuron."""
    several: Quantity[float]
    """Share with more than one cluster."""
    hidden: Quantity[float]
    """Share with more than one cluster, the largest holding at least nine tenths of the examples."""
    median_largest: float
    """Median share of the largest cluster."""


def behaviors(atlas: Atlas, min_examples: int = ENOUGH_EXAMPLES) -> Behaviors:
    """The distribution of behaviors over the neurons with at least `min_examples` examples.

    Raises:
        NbkitError: if no neuron has enough.
    """
    table = atlas.neurons[has_examples(atlas, min_examples)]
    several = table["n_clusters"] > 1
    return Behaviors(
        n_neurons=scanned(atlas),
        at_least=min_examples,
        n_enough=with_enough(atlas, min_examples),
        median_clusters=Quantity(
            metric_name(atlas.manifest.embedding, "n_clusters", "median", min_examples),
            float(table["n_clusters"].median()),
        ),
        several=Quantity(named("share with several clusters", min_examples), float(several.mean())),
        hidden=Quantity(
            named("share whose common behavior hides a rare one", min_examples),
            float((several & (table["largest_share"] >= COMMON_SHARE)).mean()),
        ),
        median_largest=float(table["largest_share"].median()),
    )
