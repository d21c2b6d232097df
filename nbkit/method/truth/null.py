"""Task "null": one behavior alone. Its halves at random must not be told apart, and it is one cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from nbkit.method.clusters import feature_clusters
from nbkit.method.truth.contestants import Embed
from nbkit.method.truth.leaderboard import grouped_mean
from nbkit.method.truth.recovery import with_directions
from nbkit.method.truth.unit import LabeledUnit

SIZES = (10, 30, 100, 300)
"""Numbers of examples."""
SPLIT_CUTS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def null_units(labeled: LabeledUnit, sizes: Sequence[int] = SIZES, seed: int = 0) -> list[LabeledUnit]:
    """One behavior of a unit at a time, with random halves as labels.

    Args:
        labeled: a unit with known behaviors.
        sizes: numbers of examples, from 2; a behavior with fewer clear examples gives no null unit of that size.
        seed: of the draws, with the unit's name.

    Returns:
        For each behavior and size a unit of clear examples of that behavior alone, drawn at random.
    """
    rng = np.random.default_rng([seed, *labeled.name.encode()])
    units = []
    for behavior in np.unique(labeled.labels):
        able = np.flatnonzero((labeled.labels == behavior) & ~labeled.ambiguous)
        for size in sizes:
            if len(able) < size:
                continue
            one = labeled.take(np.sort(rng.permutation(able)[:size]))
            units.append(
                LabeledUnit(
                    unit=one.unit,
                    other_weights=one.other_weights,
                    labels=rng.permutation(np.arange(size) % 2),
                    ambiguous=one.ambiguous,
                    name=f"{labeled.name} behavior {behavior} of {size}",
                    group=labeled.group,
                    task="null",
                    difficulty={**labeled.difficulty, "n_examples": float(size)},
                    null=True,
                )
            )
    return units


def false_splits(
    contestants: Mapping[str, Embed], units: Iterable[LabeledUnit], cuts: Sequence[float] = SPLIT_CUTS, seed: int = 0
) -> pd.DataFrame:
    """How often one behavior falls apart, by space, cut and number of examples; average linkage.

    Args:
        contestants: spaces by name.
        units: of `null_units`.
        cuts: cosine distances in (0, 1].
        seed: of the bootstrap over groups.

    Returns:
        One row a contestant, number of examples and cut: `rate`, the share of units with more than one cluster, `low`
        and `high` (its interval, see `grouped_mean`), `clusters`, their mean number, `largest_share`, the mean share of
        examples in the largest, and `units`.
    """
    found = []
    for labeled in units:
        for name, embed in contestants.items():
            embeddings = embed(labeled.unit)
            if embeddings is None:
                continue
            tree = feature_clusters(with_directions(embeddings))
            for cut in cuts:
                sizes = tree.cut(cut).sizes
                found.append((name, len(labeled.labels), cut, labeled.group, len(sizes), sizes[0] / sizes.sum()))
    columns = ["contestant", "examples", "cut", "group", "clusters", "largest_share"]
    rows = []
    for place, part in pd.DataFrame(found, columns=columns).groupby(columns[:3], sort=False):
        split = (part["clusters"] > 1).to_numpy(dtype=np.float64)
        rate, low, high = grouped_mean(split, part["group"].to_numpy(), seed)
        row = dict(zip(columns[:3], place, strict=True)) | {"rate": rate, "low": low, "high": high}
        means = {name: float(part[name].mean()) for name in columns[4:]}
        rows.append(row | means | {"units": len(part)})
    return pd.DataFrame(rows)
