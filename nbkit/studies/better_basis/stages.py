"""A dictionary at stages of its training: the same autoencoder after more and more passes over a toy's background."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from nbkit.method.clusters import PAPER_CUT, feature_clusters
from nbkit.method.metrics import adjusted_rand_index
from nbkit.method.truth.benchmark import WHOSE_WEIGHTS
from nbkit.method.truth.contestants import Embed
from nbkit.method.truth.recovery import pair_auc, with_directions
from nbkit.method.truth.toys import Toy, toy_units
from nbkit.method.truth.unit import Background, LabeledUnit
from nbkit.studies.shared.learned import FEATURES, JOINT, ON_TOYS, autoencoder_of, dictionary_of, in_basis, unexplained

EPOCHS = (0, 1, 2, 4, 8, 16, 32, 64, 128)
"""Passes over the background; each stage is trained from the start, with a learning rate that falls to zero in it."""
PRE_MLP, PAPER, TRUE = "pre-MLP", "paper's", "true features"


@dataclass(frozen=True, eq=False)
class Stage:
    """A dictionary, and what a unit's examples look like in its basis."""

    latents: int
    epochs: int
    unexplained: float
    """The share of the variance of the background that it leaves."""
    features: Embed
    joint: Embed
    """Beside the centered vector."""


@dataclass(frozen=True)
class Measured:
    """How well a space recovers a unit's behaviors."""

    distances: Float[np.ndarray, "n n"]
    auc: float
    """Pair AUC."""
    ari: float
    """Adjusted Rand index of the clusters at `PAPER_CUT`."""
    clusters: int


@lru_cache(maxsize=1)
def clear_units(toy: Toy) -> tuple[LabeledUnit, ...]:
    """The units of a toy, with the examples of one behavior alone; those of the last toy are kept in memory, and with
    their background its dictionaries."""
    return tuple(unit.take(~unit.ambiguous) for unit in toy_units(toy))


def stages_of(background: Background, epochs: Sequence[int] = EPOCHS, latents: int = ON_TOYS.d_sae) -> Iterator[Stage]:
    """The stages of one dictionary, one after the other.

    Args:
        background: what it is trained on.
        epochs: of each stage; 0 for an autoencoder as training begins.
        latents: its width; as many are active as of `ON_TOYS`.
    """
    for number in epochs:
        config = replace(ON_TOYS, d_sae=latents, epochs=max(1, number))
        sae = autoencoder_of(background, config, trained=number > 0)
        spaces = in_basis(dictionary_of(sae))
        yield Stage(latents, number, unexplained(sae, background), spaces[FEATURES], spaces[JOINT])


def measured(embeddings: Float[np.ndarray, "n d"] | None, labels: Int[np.ndarray, " n"]) -> Measured:
    """Measure a space by the behaviors of the examples in it, as `nbkit.benchmark` does."""
    assert embeddings is not None
    clusters = feature_clusters(with_directions(embeddings), PAPER_CUT)
    return Measured(
        clusters.distances,
        pair_auc(clusters.distances, labels),
        adjusted_rand_index(labels, clusters.labels),
        clusters.n_clusters,
    )


def conditions(
    labeled: LabeledUnit, space: str, embed: Embed, about: Mapping[str, object]
) -> Iterator[dict[str, object]]:
    """A unit's rows in a space, with its own weights and with another unit's: `group`, `unit`, `space`, `condition`
    ("own" or "shuffled"), `auc` and `ari`.

    Args:
        about: more columns.
    """
    others = replace(labeled.unit, weights=labeled.other_weights)
    for condition, unit in zip(WHOSE_WEIGHTS, (labeled.unit, others), strict=True):
        found = measured(embed(unit), labeled.labels)
        shared = {"group": labeled.group, "unit": labeled.name, "space": space, "condition": condition}
        yield {**shared, **about, "auc": found.auc, "ari": found.ari}
