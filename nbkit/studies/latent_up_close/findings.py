"""Single latents of the MNIST autoencoders in words and tables: what makes their distances small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from nbkit.mnist.choice import ENOUGH, LatentChoice
from nbkit.mnist.view import LatentView
from nbkit.studies.latent_up_close.broad_latent import BROAD
from nbkit.studies.shared.estimate import UNDEFINED
from nbkit.studies.shared.text import Text

ROWS = {
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
"""Columns of a report and of `what_latents_read`: titles and decimals."""


def chosen_latents(choices: Sequence[LatentChoice], read: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The figures of some latents side by side.

    Args:
        choices: the latents.
        read: `what_latents_read` by the name of the view.
    """
    rows = {c.name: pd.concat([c.metrics, read[c.view.name].iloc[c.latent]]) for c in choices}
    return _side_by_side(rows)


def median_latents(views: Sequence[LatentView], read: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The medians over the latents with enough examples, a column per autoencoder, and over those with one broad
    cluster where there are any.

    Args:
        views: the autoencoders'.
        read: `what_latents_read` by the name of the view.
    """
    columns: dict[str, pd.Series] = {}
    for view in views:
        table = _figures(view, read)
        ranked, broad = table[table["n_examples"] >= ENOUGH], _broad(table)
        columns[f"{view.name}, {len(ranked)} latents"] = ranked.median()
        if len(broad):
            columns[f"{view.name}, {len(broad)} with one broad cluster"] = broad.median()
    return _side_by_side(columns)


def what_shrinks(standard: LatentView, with_loss: LatentView, read: Mapping[str, pd.DataFrame]) -> Text:
    """What the neuron-embedding loss changes in the median latent, and what latents with one broad cluster read."""
    before, after = (_figures(view, read).query(f"n_examples >= {ENOUGH}").median() for view in (standard, with_loss))

    def moved(name: str) -> str:
        digits = ROWS[name][1]
        return f"from {before[name]:.{digits}f} to {after[name]:.{digits}f}"

    text = (
        f"With the loss the mean distance of the median latent goes {moved('mean_distance')}. The number of hidden "
        f"neurons that it reads goes {moved('participation')}, the distance of its examples as images "
        f"{moved('pixels')} (random images: {moved('random_pixels')})."
    )
    broad = {view.name: _broad(_figures(view, read)) for view in (standard, with_loss)}
    counts = " and ".join(f"{len(table)} latents of the {name}" for name, table in broad.items())
    text += f" One feature cluster and at least {BROAD} examples have {counts}."
    mine = broad[with_loss.name]
    if len(mine):
        text += (
            f" The median of the latter has **{mine['share'].median():.0%} of its weight on a single hidden neuron**; "
            f"their {len(mine)} strongest hidden neurons are {mine['neuron'].nunique()} different ones."
        )
    return Text(text)


def logit_share(views: Sequence[LatentView], read: Mapping[str, pd.DataFrame], least: float = 0.1) -> Text:
    """How many latents matter to the digit that the MLP answers, as a sentence."""
    moves = {view.name: read[view.name]["logits"] >= least for view in views}
    told = " and ".join(f"{int(far.sum())} of the {len(far)} latents of the {name}" for name, far in moves.items())
    return Text(
        f"One logit against another can be moved by {least:g} or more by {told}. A median over latents, as in Table 3, "
        f"counts the others alike."
    )


def _figures(view: LatentView, read: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([view.metrics, read[view.name]], axis=1)


def _broad(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["n_clusters"] == 1) & (table["n_examples"] >= BROAD)]


def _side_by_side(columns: Mapping[str, pd.Series]) -> pd.DataFrame:
    cells = {
        name: [UNDEFINED if np.isnan(row[key]) else f"{row[key]:,.{digits}f}" for key, (_, digits) in ROWS.items()]
        for name, row in columns.items()
    }
    return pd.DataFrame(cells, index=[title for title, _ in ROWS.values()])
