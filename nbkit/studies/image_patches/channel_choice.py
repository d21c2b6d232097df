"""Which channels the page shows: chosen by a stated rule, never by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.neuron import Neuron
from nbkit.errors import NbkitError
from nbkit.method.choice import Ranking, Rules, rankings
from nbkit.method.clusters import FeatureClusters
from nbkit.method.metrics import polysemanticity_from_distances
from nbkit.mnist.cnn import LAYERS
from nbkit.studies.shared.words import counted

PATCH_RULES: Rules = {
    "at least 40 examples": lambda table: table["n_examples"] >= 40,
    "at least 2 examples": lambda table: table["n_examples"] >= 2,
}
SEVERAL: Rules = {
    "a second cluster of at least 10 examples": lambda table: table["second"] >= 10,
    "several clusters": lambda table: table["n_clusters"] > 1,
}


@dataclass(frozen=True, eq=False)
class ChannelChoice:
    """A channel or hidden unit, its clusters, and how it was chosen."""

    unit: Neuron
    clusters: FeatureClusters
    rule: str
    """A sentence; it ends in how many units were eligible."""

    @property
    def name(self) -> str:
        """Such as `Channel 5 of conv2`."""
        return f"{self.unit.site.unit.capitalize()} {self.unit.index} of {self.unit.site.name}"

    def _repr_markdown_(self) -> str:
        told = counted(self.clusters.n_clusters, "cluster")
        return f"**{self.name}** ({counted(len(self.unit), 'example')} in {told}). {self.rule}"


def clear(atlas: Atlas, layer: str, threshold: float) -> ChannelChoice:
    """The unit of a layer whose clusters are clearest.

    Raises:
        NbkitError: none has several clusters, or the threshold is no distance.
    """
    return _first(atlas, layer, threshold, SEVERAL, "the highest silhouette", lambda table: table["silhouette"])


def widest(atlas: Atlas, layer: str, threshold: float) -> ChannelChoice:
    """The unit of a layer whose examples lie farthest apart.

    Raises:
        NbkitError: none has two examples, or the threshold is no distance.
    """
    aim = "the largest mean distance"
    return _first(atlas, layer, threshold, PATCH_RULES, aim, lambda table: table["mean_distance"])


def typical(atlas: Atlas, layer: str, threshold: float) -> ChannelChoice:
    """The unit of a layer whose mean distance is the median, of two the lower.

    Raises:
        NbkitError: none has two examples, or the threshold is no distance.
    """
    aim = "the median of their mean distances"
    return _first(atlas, layer, threshold, PATCH_RULES, aim, lambda table: -table["mean_distance"], 0.5)


def _first(
    atlas: Atlas,
    layer: str,
    threshold: float,
    rules: Rules,
    aim: str,
    score: Callable[[pd.DataFrame], pd.Series[float]],
    share: float = 0.0,
) -> ChannelChoice:
    """The unit at a share of the way down the ranking by score."""
    units = {unit.index: unit for unit in atlas.iterate(LAYERS.index(layer))}
    clusters = {index: unit.clusters(threshold) for index, unit in units.items() if unit.has_direction() and len(unit)}
    rows = {index: _row(found) for index, found in clusters.items()}
    table = pd.DataFrame.from_dict(rows, orient="index")
    site = atlas.manifest.site(LAYERS.index(layer))
    ranking: Ranking | None = next(rankings(table, rules, score, aim, f"{site.n_units} {site.unit}s"), None)
    if ranking is None:
        raise NbkitError(f"No {site.unit} of {layer} has {list(rules)[-1]} at {threshold}: choose a lower threshold.")
    index = int(ranking.units[int(share * (len(ranking.units) - 1))])
    return ChannelChoice(units[index], clusters[index], ranking.sentence)


def _row(clusters: FeatureClusters) -> dict[str, float]:
    figures = polysemanticity_from_distances(clusters.distances, clusters.labels)
    sizes = clusters.sizes
    return {
        "n_examples": len(clusters.labels),
        "second": int(sizes[1]) if len(sizes) > 1 else 0,
        "n_clusters": clusters.n_clusters,
        "mean_distance": figures.mean_distance,
        "silhouette": figures.silhouette,
    }
