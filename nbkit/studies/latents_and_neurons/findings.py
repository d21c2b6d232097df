"""What latents beside neurons support, as numbers with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.method.intervals import RESAMPLES, TAILS
from nbkit.models.site import Site
from nbkit.studies.latents_and_neurons.comparison import UNIT_CONDITIONS, layer_of, sites_beside
from nbkit.studies.shared.estimate import Difference, Estimate
from nbkit.studies.shared.language_model_saes import WithLatents
from nbkit.studies.shared.table import BookTable

MEASURE_TITLES = {
    "mean_distance": "mean distance",
    "n_clusters": "clusters",
    "one_word": "share of one word",
}
CONDITION_TITLES = {
    "own": "its examples",
    "random": "random examples",
    "shuffled": "another unit's weights",
}


@dataclass(frozen=True)
class Beside:
    """The latents of a site against the neurons of their layer: each a difference of means, the latents' minus the
    neurons', with a bootstrap interval over units."""

    site: Site
    n_latents: int
    n_neurons: int
    distance: Difference
    """Mean distance of a unit's examples."""
    over_chance: Difference
    """The same, minus that of random examples with the unit's weights: below zero where latents gather their examples
    more than neurons do, measured from what their space does to any examples."""
    over_shuffled: Difference
    """The same, minus that of the unit's examples with another unit's weights."""
    one_word: Difference
    """Share of the examples whose key token is the unit's most frequent one."""


@dataclass(frozen=True)
class Comparison:
    """What is found in a table of `compare_units`."""

    n_examples: int
    sites: tuple[Beside, ...]
    table: BookTable


def beside_neurons(atlas: Atlas, table: pd.DataFrame, n_examples: int, seed: int = 0) -> Comparison:
    """What `table`, made by `compare_units` of `atlas` with so many examples a unit, supports.

    Args:
        seed: of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    neurons, latents = _parts(atlas)
    means: dict[int | None, Mapping[tuple[str, str], Estimate]] = {
        site.number: _means(table, site, seed) for site in (*neurons, *latents)
    }
    wide = {number: _wide(table, number) for number in means}
    found = []
    for site in latents:
        own, mine = wide[layer_of(site)], wide[site.number]
        found.append(
            Beside(
                site,
                len(mine),
                len(own),
                _difference(mine["mean_distance", "own"], own["mean_distance", "own"], rng),
                _difference(_over(mine, "random"), _over(own, "random"), rng),
                _difference(_over(mine, "shuffled"), _over(own, "shuffled"), rng),
                _difference(mine["one_word", "own"], own["one_word", "own"], rng),
            )
        )
    rows = [(site, condition) for site in (*neurons, *latents) for condition in UNIT_CONDITIONS]
    cells = pd.DataFrame(
        {
            title: [means[site.number][measure, condition] for site, condition in rows]
            for measure, title in MEASURE_TITLES.items()
        },
        index=pd.MultiIndex.from_tuples([(_titled(site), CONDITION_TITLES[condition]) for site, condition in rows]),
    )
    return Comparison(n_examples, tuple(found), BookTable("latents-and-neurons", cells))


def quality_table(units: WithLatents) -> BookTable:
    """The autoencoders: what they are, what they leave unexplained, and how many of their latents have examples."""
    rows = {}
    for site, row in zip(units.latents.manifest.sites, units.quality.itertuples(), strict=True):
        table = units.latents.neurons[units.latents.neurons["layer"] == site.number]
        rows[site.name] = {
            "latents": site.n_units,
            "rule": site.rule,
            "active at a token": row.l0,
            "variance unexplained": row.unexplained,
            "latents never active": float((table["max_activation"] <= 0).mean()),
            "latents with 20 examples": float((table["n_examples"] >= 20).mean()),
        }
    return BookTable("autoencoders", pd.DataFrame(rows).T)


def _titled(site: Site) -> str:
    return f"neurons of layer {site.number}" if site.unit == "neuron" else f"latents of {site.name}"


def _parts(atlas: Atlas) -> tuple[list[Site], list[Site]]:
    sites = sites_beside(atlas)
    return [site for site in sites if site.unit == "neuron"], [site for site in sites if site.unit == "latent"]


def _wide(table: pd.DataFrame, number: int | None) -> pd.DataFrame:
    """A row a unit of a site, a column for each measure and condition."""
    mine = table[table["layer"] == number]
    return mine.pivot(index="index", columns="condition", values=list(MEASURE_TITLES))


def _over(wide: pd.DataFrame, control: str) -> pd.Series:
    return wide["mean_distance", "own"] - wide["mean_distance", control]


def _means(table: pd.DataFrame, site: Site, seed: int) -> Mapping[tuple[str, str], Estimate]:
    wide = _wide(table, site.number)
    columns = [(measure, condition) for measure in MEASURE_TITLES for condition in UNIT_CONDITIONS]
    return {column: Estimate.over_units(wide[column], seed) for column in columns}


def _difference(mine: pd.Series, other: pd.Series, rng: np.random.Generator) -> Difference:
    """Of the means of two samples, resampled apart."""
    one, two = (values.to_numpy(dtype=np.float64) for values in (mine, other))
    differences = [
        one[rng.integers(len(one), size=len(one))].mean() - two[rng.integers(len(two), size=len(two))].mean()
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile(differences, TAILS)
    return Difference(float(one.mean() - two.mean()), float(low), float(high))
