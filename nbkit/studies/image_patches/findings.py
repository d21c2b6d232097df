"""What the page of the convolutional network says in numbers, with intervals over its units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

from nbkit.mnist.cnn import CNN_RECIPE
from nbkit.models.site import Site
from nbkit.studies.image_patches.channel_comparison import CHANNEL_MEASURES, PATCH_CONDITIONS
from nbkit.studies.image_patches.channels import Channels
from nbkit.studies.shared.estimate import Difference, Estimate
from nbkit.studies.shared.table import BookTable


@dataclass(frozen=True)
class LayerFindings:
    """The units of a layer under equal conditions; differences are its own minus a control, unit by unit."""

    site: Site
    n: int
    """Units with enough examples."""
    n_one: int
    """Of them, how many have a single feature cluster at a cut of 0.5."""
    distance: Estimate
    """Mean distance of a unit's examples."""
    of_others: Estimate
    """That over the mean distance of other units' examples with the unit's weights."""
    minus_images: Difference
    """Of mean distances: minus that of the strongest patches of random images."""
    minus_shuffled: Difference
    """Of mean distances: minus that with another unit's weights."""
    minus_none: Difference
    """Of mean distances: minus that without weights."""
    agreement_shuffled: Difference
    """Of the agreement with digits: minus that with another unit's weights."""
    agreement_none: Difference
    """Of the agreement with digits: minus that without weights."""


@dataclass(frozen=True)
class NetworkFindings:
    """What is found in a table of `compare_channels`."""

    accuracy: float
    """In percent of the 10,000 test images."""
    recipe: Mapping[str, float]
    """Of Adadelta: `learning_rate`, `falls_by` after each epoch, `batch_size`, `epochs`."""
    n_images: int
    """Images that were scanned."""
    n_channels: int
    """Of both convolutions, with enough examples."""
    n_one: int
    """Of them, how many have a single feature cluster at a cut of 0.5."""
    layers: tuple[LayerFindings, ...]
    table: BookTable

    @property
    def deeper_is_wider(self) -> bool:
        """Whether, measured by other units' examples, those of a unit lie farther apart in each layer than in the one
        before it, with intervals that don't overlap."""
        return all(before.of_others.high < after.of_others.low for before, after in pairwise(self.layers))

    @property
    def sorting(self) -> tuple[str, ...]:
        """The layers whose clusters agree with the digits better than with another unit's weights and without."""
        return tuple(
            layer.site.name
            for layer in self.layers
            if layer.agreement_shuffled.sign > 0 and layer.agreement_none.sign > 0
        )

    @property
    def hidden(self) -> LayerFindings:
        """Of the hidden layer."""
        return self.layers[-1]


def channel_findings(channels: Channels, table: pd.DataFrame, seed: int = 0) -> NetworkFindings:
    """What `table`, made by `compare_channels` of these channels, supports.

    Args:
        seed: of the bootstrap over units.
    """
    sites = channels.atlas.manifest.sites
    layers = tuple(_of_layer(site, _wide(table, site), seed) for site in sites)
    return NetworkFindings(
        accuracy=100 * channels.accuracy,
        recipe=CNN_RECIPE,
        n_images=len(channels.inputs),
        n_channels=sum(layer.n for layer in layers[:-1]),
        n_one=sum(layer.n_one for layer in layers[:-1]),
        layers=layers,
        table=_table(table, sites, seed),
    )


def _of_layer(site: Site, wide: pd.DataFrame, seed: int) -> LayerFindings:
    def own_minus(condition: str, measure: str = "mean_distance") -> Difference:
        return Difference.over_units(wide[measure, "own"] - wide[measure, condition], seed)

    own = wide["mean_distance", "own"]
    return LayerFindings(
        site=site,
        n=len(wide),
        n_one=int((wide["n_clusters", "own"] == 1).sum()),
        distance=Estimate.over_units(own, seed),
        of_others=Estimate.over_units(own / wide["mean_distance", "others"], seed),
        minus_images=own_minus("images"),
        minus_shuffled=own_minus("shuffled"),
        minus_none=own_minus("none"),
        agreement_shuffled=own_minus("shuffled", "agreement"),
        agreement_none=own_minus("none", "agreement"),
    )


def _table(table: pd.DataFrame, sites: tuple[Site, ...], seed: int) -> BookTable:
    """Means over the units of each layer, a row for each condition."""
    rows = [(site, condition) for site in sites for condition in PATCH_CONDITIONS]
    wide = {site.number: _wide(table, site) for site in sites}
    cells = pd.DataFrame(
        {
            title: [_cell(wide[site.number], measure, condition, seed) for site, condition in rows]
            for measure, title in CHANNEL_MEASURES.items()
        },
        index=pd.MultiIndex.from_tuples([(titled(site), PATCH_CONDITIONS[condition]) for site, condition in rows]),
    )
    return BookTable("channels", cells)


def _cell(wide: pd.DataFrame, measure: str, condition: str, seed: int) -> object:
    if measure == "one_digit" and condition in ("shuffled", "none"):
        return ""  # the same examples have the same digits
    return Estimate.over_units(wide[measure, condition], seed)


def titled(site: Site) -> str:
    """Such as `channels of conv1`."""
    return f"{site.unit}s of {site.name}"


def _wide(table: pd.DataFrame, site: Site) -> pd.DataFrame:
    """A row a unit of a site, a column for each measure and condition."""
    return table[table["layer"] == site.number].pivot(index="index", columns="condition", values=list(CHANNEL_MEASURES))
