"""Which neurons count."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.studies.shared.quantity import Quantity

ENOUGH_EXAMPLES = 20
"""Examples that a neuron needs to count in every statement over many neurons."""


def has_examples(atlas: Atlas, at_least: int) -> np.ndarray:
    """(n_neurons,) which neurons have at least so many examples, and a direction if these are two or more.

    Raises:
        NbkitError: if none has.
    """
    enough = _has_examples(atlas, at_least)
    if not enough.any():
        most = int(atlas.neurons["n_examples"].where(~_undirected(atlas), 0).max())
        raise NbkitError(f"no neuron has {at_least} examples (the most is {most}): scan more text or ask for fewer")
    return enough


def named(quantity: str, at_least: int) -> str:
    """What a quantity of the neurons with at least so many examples is called, wherever it stands: by itself if these
    are the usual ones."""
    return quantity if at_least == ENOUGH_EXAMPLES else f"{quantity}, at least {at_least} examples"


def metric_name(kind: str, metric: str, statistic: str, at_least: int) -> str:
    """What the mean or median of a metric in an embedding space is called wherever it stands."""
    return named(f"{metric}, {kind}, {statistic}", at_least)


def scanned(atlas: Atlas) -> Quantity[int]:
    """How many neurons the atlas has."""
    return Quantity("neurons scanned", len(atlas.neurons))


def with_enough(atlas: Atlas, at_least: int = ENOUGH_EXAMPLES) -> Quantity[int]:
    """How many of them have at least so many examples, and a direction."""
    return Quantity(named("neurons with enough examples", at_least), int(_has_examples(atlas, at_least).sum()))


def _has_examples(atlas: Atlas, at_least: int) -> np.ndarray:
    enough: np.ndarray = ((atlas.neurons["n_examples"] >= at_least) & ~_undirected(atlas)).to_numpy()
    return enough


def _undirected(atlas: Atlas) -> pd.Series:
    undirected: pd.Series = (atlas.neurons["n_examples"] >= 2) & atlas.neurons["mean_distance"].isna()
    return undirected
