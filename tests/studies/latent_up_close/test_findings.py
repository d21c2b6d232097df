"""What the pages of single latents says about numbers that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nbkit.mnist.choice import LatentChoice
from nbkit.mnist.view import LatentView
from nbkit.studies.latent_up_close.findings import (
    LogitMovers,
    broad_latents,
    chosen_latents,
    logit_movers,
    median_changes,
    median_latents,
)
from nbkit.studies.shared.change import Change
from nbkit.studies.shared.estimate import UNDEFINED
from tests.examples.views import view_of


def latents(name: str, distance: float, read: float, n_clusters: float = 3.0) -> tuple[LatentView, pd.DataFrame]:
    """Three latents with enough examples and one without; the figures of the middle one are those that are given."""
    metrics = {
        "n_examples": [10, 200, 3000, 9],
        "n_clusters": [9, n_clusters, n_clusters, 9],
        "mean_distance": [distance / 2, distance, distance * 2, 9],
        "max_distance": [0.3, 0.4, 0.5, 9],
        "participation": [read / 2, read, read * 2, 99],
        "purity": [0.2, 0.3, 0.4, 0.9],
    }
    view = view_of(pd.DataFrame(metrics).to_dict("records"), name=name)
    table = pd.DataFrame(
        {
            "neuron": [7, 5, 5, 1],
            "share": [0.1, 0.7, 0.9, 0.2],
            "own": view.metrics["mean_distance"],
            "shuffled": [0.1, 0.2, 0.3, 9],
            "random": [0.4, 0.5, 0.6, 9],
            "neuron_on": [0.2, 0.3, 0.4, 9],
            "pixels": [0.5, 0.6, 0.7, 9],
            "random_pixels": [0.65, 0.75, 0.85, 9],
            "logits": [0.0, 0.1, 0.0999, 2.0],
        }
    )
    return view, table


STANDARD, STANDARD_READ = latents("standard SAE", 0.2, 18.0)
TRAINED, TRAINED_READ = latents("SAE with NE loss", 0.05, 4.5, n_clusters=1.0)
READ = {"standard SAE": STANDARD_READ, "SAE with NE loss": TRAINED_READ}


def test_chosen_latents_stand_side_by_side() -> None:
    table = chosen_latents([LatentChoice(TRAINED, 2, ""), LatentChoice(STANDARD, 0, "")], READ).written
    assert list(table) == ["Latent 2 of the SAE with NE loss", "Latent 0 of the standard SAE"]
    first = table.iloc[:, 0]
    assert first["test images that activate it"] == "3,000"
    assert (first["mean distance"], first["mean distance as images"]) == ("0.100", "0.700")
    assert first["share of its strongest neuron"] == "0.90" and first["hidden neurons that it reads"] == "9.0"
    controls = [title for title in table.index if "control" in title]
    assert len(controls) == 4 and "… with another latent's weights (control)" in controls


def test_what_is_undefined_is_said_to_be() -> None:
    view = replace(STANDARD, metrics=STANDARD.metrics.assign(mean_distance=np.nan))
    table = chosen_latents([LatentChoice(view, 1, "")], READ).written
    assert table.loc["mean distance"].item() == UNDEFINED


def test_medians_leave_out_latents_with_few_examples() -> None:
    table = median_latents([STANDARD, TRAINED], READ).written
    assert list(table) == [
        "standard SAE, 3 latents",
        "SAE with NE loss, 3 latents",
        "SAE with NE loss, 2 with one broad cluster",
    ]
    assert list(table.loc["mean distance"]) == ["0.200", "0.050", "0.075"]
    assert list(table.loc["hidden neurons that it reads"]) == ["18.0", "4.5", "6.8"]


def test_the_median_latent_changes_among_those_with_enough_examples() -> None:
    change = median_changes(STANDARD, TRAINED, READ)
    assert (change.mean_distance, change.participation) == (Change(0.2, 0.05), Change(18.0, 4.5))
    assert (change.pixels, change.random_pixels) == (Change(0.6, 0.6), Change(0.75, 0.75))


def test_broad_latents_have_one_cluster_and_many_examples() -> None:
    found = broad_latents(TRAINED, READ)
    assert (found.n, found.least, found.n_neurons) == (2, 100, 1)
    assert found.share == pytest.approx(0.8)


def test_where_no_latent_is_broad_none_has_a_share() -> None:
    found = broad_latents(STANDARD, READ)
    assert found.n == found.n_neurons == 0 and np.isnan(found.share)


def test_latents_that_matter_to_the_logits_are_counted() -> None:
    assert logit_movers(STANDARD, READ) == LogitMovers(2, 4, 0.1), "0.1 is enough, 0.0999 is not"
    assert logit_movers(STANDARD, READ, least=0.05).n == 3
