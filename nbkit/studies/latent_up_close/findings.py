"""Single latents of the MNIST autoencoders in tables and numbers: what makes their distances small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nbkit.mnist.choice import LEAST_RANKED, LatentChoice
from nbkit.mnist.view import LatentView
from nbkit.studies.latent_up_close.broad_latent import BROAD
from nbkit.studies.shared.change import Change
from nbkit.studies.shared.table import BookTable, Printed

Reads = Mapping[str, pd.DataFrame]
"""`inputs_of_latents` by the name of the view."""
LATENT_ROWS = {
    "n_examples": ("test images that activate it", 0),
    "n_clusters": ("feature clusters", 0),
    "max_distance": ("maximum distance", 3),
    "mean_distance": ("mean distance", 3),
    "shuffled": ("… with another latent's weights (control)", 3),
    "random": ("… of random images (control)", 3),
    "neuron_on": ("… of images with its strongest neuron on (control)", 3),
    "participation": ("hidden neurons that it reads", 1),
    "share": ("share of its strongest neuron", 2),
    "pixels": ("mean distance as images", 3),
    "random_pixels": ("… of random images (control)", 3),
    "purity": ("commonest digit", 2),
    "logits": ("moves the logits by at most", 3),
}
"""Columns of a report and of `inputs_of_latents`: titles and decimals."""


def chosen_latents(choices: Sequence[LatentChoice], read: Reads) -> BookTable:
    """The figures of some latents side by side.

    Args:
        choices: the latents.
        read: what their latents read.
    """
    rows = {c.name: pd.concat([c.metrics, read[c.view.name].iloc[c.latent]]) for c in choices}
    return _side_by_side("chosen-latents", rows)


def median_latents(views: Sequence[LatentView], read: Reads) -> BookTable:
    """The medians over the latents with enough examples, a column per autoencoder, and over those with one broad
    cluster where there are any.

    Args:
        views: the autoencoders'.
        read: what their latents read.
    """
    columns: dict[str, pd.Series] = {}
    for view in views:
        table = _figures(view, read)
        ranked, broad = table[table["n_examples"] >= LEAST_RANKED], _broad(table)
        columns[f"{view.name}, {len(ranked)} latents"] = ranked.median()
        if len(broad):
            columns[f"{view.name}, {len(broad)} with one broad cluster"] = broad.median()
    return _side_by_side("median-latents", columns)


@dataclass(frozen=True)
class MedianChanges:
    """Figures of the median latent among those with enough examples, without the loss and with it."""

    mean_distance: Change
    participation: Change
    """Hidden neurons that it reads."""
    pixels: Change
    """The mean distance of its examples as images."""
    random_pixels: Change
    """That of random images."""


def median_changes(standard: LatentView, with_loss: LatentView, read: Reads) -> MedianChanges:
    """What the neuron-embedding loss changes in the median latent.

    Args:
        standard: the autoencoder's without the loss.
        with_loss: the autoencoder's with it.
        read: what their latents read.
    """
    before, after = (
        _figures(view, read).query(f"n_examples >= {LEAST_RANKED}").median() for view in (standard, with_loss)
    )
    names = ("mean_distance", "participation", "pixels", "random_pixels")
    return MedianChanges(*(Change(float(before[name]), float(after[name])) for name in names))


@dataclass(frozen=True)
class BroadLatents:
    """The latents of an autoencoder with one feature cluster and many examples."""

    n: int
    least: int
    """Examples that each has."""
    share: float
    """How much of its weight the median of them has on a single hidden neuron; NaN where there is none."""
    n_neurons: int
    """How many different hidden neurons are the strongest of one."""


def broad_latents(view: LatentView, read: Reads) -> BroadLatents:
    """How many latents with one broad cluster there are, and what they read.

    Args:
        view: the autoencoder's.
        read: what its latents read.
    """
    broad = _broad(_figures(view, read))
    return BroadLatents(len(broad), BROAD, float(broad["share"].median()), broad["neuron"].nunique())


@dataclass(frozen=True)
class LogitMovers:
    """The latents of an autoencoder that matter to the digit that the MLP answers."""

    n: int
    n_latents: int
    """All that the autoencoder has."""
    least: float
    """How far each of the `n` can move one logit against another."""


def logit_movers(view: LatentView, read: Reads, least: float = 0.1) -> LogitMovers:
    """How many latents can move one logit against another.

    Args:
        view: the autoencoder's.
        read: what its latents read.
        least: by how much.
    """
    far = read[view.name]["logits"] >= least
    return LogitMovers(int(far.sum()), len(far), least)


def _figures(view: LatentView, read: Reads) -> pd.DataFrame:
    return pd.concat([view.metrics, read[view.name]], axis=1)


def _broad(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["n_clusters"] == 1) & (table["n_examples"] >= BROAD)]


def _side_by_side(name: str, columns: Mapping[str, pd.Series]) -> BookTable:
    titles = [title for title, _ in LATENT_ROWS.values()]
    cells = {
        name: [_number(row[key], digits) for key, (_, digits) in LATENT_ROWS.items()] for name, row in columns.items()
    }
    return BookTable(name, pd.DataFrame(cells, index=titles, dtype=object))


def _number(value: float, digits: int) -> Printed | float:
    return Printed(float(value), digits) if np.isfinite(value) else value
