"""How alike the examples of a unit are, for neurons and latents of one layer, with equal numbers of examples each.

Distances depend on the space: vectors of a residual stream are nearer to each other than those that an MLP reads,
whatever unit reads them. So each number stands beside its control: the same of as many *random examples*, drawn from
those of other units at the same site, with the unit's own weights; and the same of the unit's examples with another
unit's weights.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from tqdm.auto import tqdm

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.neuron import Neuron
from nbkit.errors import NbkitError
from nbkit.method.checks import checked_whole, have_direction
from nbkit.method.clusters import feature_clusters
from nbkit.models.capturing import IN_BLOCK
from nbkit.models.site import Site
from nbkit.studies.shared.populations import ENOUGH_EXAMPLES

UNIT_CONDITIONS = ("own", "random", "shuffled")
"""Its own examples with its own weights; random examples with its weights; its examples with another unit's."""
UNIT_MEASURES = ("mean_distance", "n_clusters", "one_word")
COMPARED_COLUMNS = ("layer", "index", "condition", *UNIT_MEASURES)


def sites_beside(atlas: Atlas) -> tuple[Site, ...]:
    """The sites that are compared: those of latents in a layer whose neurons are there too, and before them these.

    Raises:
        NbkitError: the atlas has no such latents.
    """
    neurons = {site.number: site for site in atlas.manifest.sites if site.unit == "neuron"}
    latents = [site for site in atlas.manifest.sites if site.unit == "latent" and layer_of(site) in neurons]
    layers = {layer_of(site) for site in latents}
    if not latents:
        raise NbkitError(
            f"atlas {atlas.path} has no latents beside neurons of their layer: join the atlases of both, and take hook "
            "points in layers that were scanned"
        )
    return (*(site for number, site in neurons.items() if number in layers), *latents)


def layer_of(site: Site) -> int | None:
    """The layer of a site; None if it is in none."""
    place = IN_BLOCK.fullmatch(site.name)
    return None if place is None else int(place[1])


def compare_units(
    atlas: Atlas, n_examples: int = ENOUGH_EXAMPLES, most: int = 400, seed: int = 0, progress: bool = True
) -> pd.DataFrame:
    """Measures units of each site of `sites_beside`, each on as many of its examples, drawn at random.

    Args:
        n_examples: of each unit; those with fewer are left out.
        most: units of a site, drawn at random.
        seed: of the draws.

    Returns:
        Three rows a unit: its `layer` (the number of the site) and `index`; the `condition`, see `UNIT_CONDITIONS`;
        `mean_distance`, the mean cosine distance of the examples' embeddings; `n_clusters`, the feature clusters at a
        cut of 0.5; and `one_word`, the share of the examples whose key token is the most frequent one, in which no
        embedding has a part.

    Raises:
        NbkitError: `sites_beside` refuses the atlas, or no unit of a site has so many examples.
    """
    n_examples, most = checked_whole("n_examples", n_examples, 2), checked_whole("most", most, 1)
    rows: list[tuple[object, ...]] = []
    for site in sites_beside(atlas):
        table = atlas.neurons[atlas.neurons["layer"] == site.number]
        able = table["index"][table["n_examples"] >= n_examples].to_numpy()
        if not len(able):
            raise NbkitError(f"no {site.unit} of {site.title} has {n_examples} examples: scan more or ask for fewer")
        rng = np.random.default_rng([seed, site.number])
        drawn = np.sort(rng.permutation(able)[:most])
        units = [atlas.neuron(site.number, int(index)) for index in drawn]
        others = _examples_of(units)
        for number, unit in enumerate(tqdm(units, desc=site.title, unit=site.unit, disable=not progress)):
            own = np.sort(rng.permutation(len(unit))[:n_examples])
            away = rng.permutation(np.flatnonzero(others["unit"] != number))[:n_examples]
            if len(away) < n_examples or unit.donor is None:
                continue  # the only unit of its site
            measured = [
                _measure(unit, unit.pre_mlp[own], _words(unit)[own], "own"),
                _measure(unit, others["vector"][away], others["word"][away], "random"),
                _measure(unit, unit.pre_mlp[own], _words(unit)[own], "shuffled"),
            ]
            if all(values is not None for values in measured):
                rows += [(site.number, unit.index, *values) for values in measured if values is not None]
    return pd.DataFrame(rows, columns=list(COMPARED_COLUMNS))


def _examples_of(units: list[Neuron]) -> dict[str, np.ndarray]:
    """All examples of some units: whose each is, its vector and its key word."""
    return {
        "unit": np.concatenate([np.full(len(unit), number) for number, unit in enumerate(units)]),
        "vector": np.concatenate([unit.pre_mlp for unit in units]),
        "word": np.concatenate([_words(unit) for unit in units]),
    }


def _words(unit: Neuron) -> Int[np.ndarray, " n"]:
    assert unit.key_words is not None
    return unit.key_words


def _measure(
    unit: Neuron, vectors: Float[np.ndarray, "n d"], words: Int[np.ndarray, " n"], condition: str
) -> tuple[str, float, int, float] | None:
    """None if an embedding has no direction."""
    embeddings = unit.embed(vectors, "shuffled" if condition == "shuffled" else None)
    if not have_direction(embeddings).all():
        return None
    clusters = feature_clusters(embeddings, unit.cut())
    n = len(vectors)
    distance = float(clusters.distances.sum() / (n * (n - 1)))
    return condition, distance, clusters.n_clusters, float(np.unique(words, return_counts=True)[1].max() / n)
