"""How alike the patches of a channel are to it, held against patches and weights that are not its own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from nbkit.atlas.neuron import Neuron
from nbkit.errors import NbkitError
from nbkit.method.checks import checked_whole, have_direction
from nbkit.method.clusters import feature_clusters
from nbkit.method.metrics import adjusted_rand_index
from nbkit.mnist.images import CLASSES
from nbkit.studies.image_patches.channels import Channels

PATCH_CONDITIONS = {
    "own": "its examples",
    "images": "random images, its strongest patch",
    "others": "other units' examples",
    "shuffled": "another unit's weights",
    "none": "no weights",
}
"""What is embedded and how, with its title. The unit's examples with its own weights; of as many random images the
patch on which it is strongest, with its own weights; as many examples of other units at its site, with its own weights;
its examples with another unit's weights; and its examples as they are."""
CHANNEL_MEASURES = {
    "mean_distance": "mean distance",
    "n_clusters": "clusters",
    "agreement": "agreement with digits",
    "one_digit": "share of one digit",
}
"""With their titles. Mean cosine distance; feature clusters at a cut of 0.5; agreement of ten clusters with the digits
of the images (adjusted Rand index); the share of the commonest digit, in which no embedding has a part."""

Measured = tuple[Float[np.ndarray, "n d"], Int[np.ndarray, " n"]]
"""Embeddings, and the digits of the images that they are from."""


def compare_channels(channels: Channels, n_examples: int = 40, seed: int = 0) -> pd.DataFrame:
    """Measures every unit on equal numbers of examples under each of `PATCH_CONDITIONS`.

    Args:
        channels: the network's.
        n_examples: of each unit, drawn at random; units with fewer are left out.
        seed: of the draws.

    Returns:
        One row for each unit and condition: its `layer` (the number of the site) and `index`, the `condition`, and the
        `CHANNEL_MEASURES`. NaN where an embedding has no direction.

    Raises:
        NbkitError: no unit of a site has so many examples.
    """
    n_examples = checked_whole("n_examples", n_examples, CLASSES)
    rows = []
    for site in channels.atlas.manifest.sites:
        rng = np.random.default_rng([seed, site.number])
        units = [unit for unit in channels.atlas.iterate(site.number) if len(unit) >= n_examples]
        if len(units) < 2:
            raise NbkitError(f"{site.name} has no two {site.unit}s of {n_examples} examples: take more images")
        images = np.sort(rng.permutation(len(channels.inputs))[:n_examples])
        strongest = channels.strongest_patches(site.number, images)
        for unit in units:
            others = [other for other in units if other is not unit]
            of_images = strongest[:, unit.index], channels.digits[images]
            for condition, measured in _conditions(unit, others, of_images, n_examples, rng):
                row = {"layer": site.number, "index": unit.index, "condition": condition}
                rows.append(row | _measure(*measured, unit.cut()))
    return pd.DataFrame(rows)


def _conditions(
    unit: Neuron, others: list[Neuron], of_images: Measured, n: int, rng: np.random.Generator
) -> Iterator[tuple[str, Measured]]:
    chosen = np.sort(rng.permutation(len(unit))[:n])
    vectors, digits = unit.pre_mlp[chosen], unit.key_ids[chosen]
    away = rng.permutation(sum(map(len, others)))[:n]
    their_vectors = np.concatenate([other.pre_mlp for other in others])[away]
    their_digits = np.concatenate([other.key_ids for other in others])[away]
    yield "own", (unit.embed(vectors), digits)
    yield "images", (unit.embed(of_images[0]), of_images[1])
    yield "others", (unit.embed(their_vectors), their_digits)
    if unit.donor is not None:
        yield "shuffled", (unit.embed(vectors, "shuffled"), digits)
    yield "none", (vectors, digits)


def _measure(embeddings: Float[np.ndarray, "n d"], digits: Int[np.ndarray, " n"], cut: float) -> dict[str, float]:
    n = len(digits)
    one_digit = float(np.unique(digits, return_counts=True)[1].max() / n)
    if not have_direction(embeddings).all():
        return dict.fromkeys(CHANNEL_MEASURES, np.nan) | {"one_digit": one_digit}
    clusters = feature_clusters(embeddings, cut)
    return {
        "mean_distance": float(clusters.distances.sum() / (n * (n - 1))),
        "n_clusters": clusters.n_clusters,
        "agreement": adjusted_rand_index(clusters.cut_to(CLASSES).labels, digits),
        "one_digit": one_digit,
    }
