"""How the behaviors of neurons are distributed, and how often a common one hides a rare one."""

from __future__ import annotations

from dataclasses import dataclass

from nbkit.atlas.atlas import Atlas
from nbkit.studies.shared.populations import has_examples
from nbkit.studies.shared.text import Text

ENOUGH = 20
"""Examples that a neuron needs to count in statements about how behaviors are distributed."""


@dataclass(frozen=True)
class Behaviors:
    """How the behaviors of the neurons with enough examples are distributed, at a cut of 0.5."""

    n_neurons: int
    """Neurons scanned."""
    n_enough: int
    """Those with enough examples, over which the rest is taken."""
    median_clusters: float
    several: float
    """Share with more than one cluster."""
    hidden: float
    """Share with more than one cluster, the largest holding at least 90% of the examples."""
    median_largest: float
    """Median share of the largest cluster."""


def behaviors(atlas: Atlas, min_examples: int = ENOUGH) -> Behaviors:
    """The distribution of behaviors over the neurons with at least `min_examples` examples.

    Raises:
        NbkitError: if no neuron has enough.
    """
    table = atlas.neurons[has_examples(atlas, min_examples)]
    several = table["n_clusters"] > 1
    return Behaviors(
        n_neurons=len(atlas.neurons),
        n_enough=len(table),
        median_clusters=float(table["n_clusters"].median()),
        several=float(several.mean()),
        hidden=float((several & (table["largest_share"] >= 0.9)).mean()),
        median_largest=float(table["largest_share"].median()),
    )


def rare_behaviors(atlas: Atlas, min_examples: int = ENOUGH) -> Text:
    """How often a common behavior hides a rare one, as a sentence."""
    b = behaviors(atlas, min_examples)
    return Text(
        f"Of the {b.n_enough:,} neurons with at least {min_examples} examples, {b.several:.1%} have more than one "
        f"feature cluster at distance 0.5. In **{b.hidden:.1%}** the largest cluster holds at least nine tenths of "
        f"the examples beside at least one other cluster: a common behavior that hides a rare one. The median "
        f"share of the largest cluster is {b.median_largest:.0%}."
    )
