"""What the pages of single latents says about numbers that are known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from nbkit.mnist.choice import LatentChoice
from nbkit.mnist.view import LatentView
from nbkit.studies.latent_up_close.findings import chosen_latents, logit_share, median_latents, what_shrinks
from nbkit.studies.shared.provenance import mnist_provenance


def view_of(name: str, metrics: dict[str, list[float]]) -> LatentView:
    table = pd.DataFrame(metrics)
    n = len(table)
    nothing = [np.empty(0, dtype=int)] * n
    return LatentView(name, table, np.zeros((n, 784)), np.zeros((n, 10)), np.zeros((n, 2)), nothing, nothing)


def latents(name: str, distance: float, read: float, n_clusters: float = 3.0) -> tuple[LatentView, pd.DataFrame]:
    """Three latents with enough examples and one without; the figures of the middle one are those that are given."""
    view = view_of(
        name,
        {
            "n_examples": [10, 200, 3000, 9],
            "n_clusters": [9, n_clusters, n_clusters, 9],
            "mean_distance": [distance / 2, distance, distance * 2, 9],
            "max_distance": [0.3, 0.4, 0.5, 9],
            "participation": [read / 2, read, read * 2, 99],
            "purity": [0.2, 0.3, 0.4, 0.9],
        },
    )
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
    table = chosen_latents([LatentChoice(TRAINED, 2, ""), LatentChoice(STANDARD, 0, "")], READ)
    assert list(table) == ["Latent 2 of the SAE with NE loss", "Latent 0 of the standard SAE"]
    first = table.iloc[:, 0]
    assert first["test images that activate it"] == "3,000"
    assert (first["mean distance"], first["mean distance as images"]) == ("0.100", "0.700")
    assert first["share of its strongest neuron"] == "0.90" and first["hidden neurons that it reads"] == "9.0"
    controls = [title for title in table.index if "control" in title]
    assert len(controls) == 4 and "… with another latent's weights (control)" in controls


def test_what_is_undefined_is_said_to_be() -> None:
    metrics = STANDARD.metrics.assign(mean_distance=np.nan)
    view = LatentView("standard SAE", metrics, *[getattr(STANDARD, name) for name in FIELDS])
    table = chosen_latents([LatentChoice(view, 1, "")], READ)
    assert table.loc["mean distance"].item() == "undefined"


FIELDS = ("activation_maps", "logit_effects", "curves", "examples", "clusters")


def test_medians_leave_out_latents_with_few_examples() -> None:
    table = median_latents([STANDARD, TRAINED], READ)
    assert list(table) == [
        "standard SAE, 3 latents",
        "SAE with NE loss, 3 latents",
        "SAE with NE loss, 2 with one broad cluster",
    ]
    assert list(table.loc["mean distance"]) == ["0.200", "0.050", "0.075"]
    assert list(table.loc["hidden neurons that it reads"]) == ["18.0", "4.5", "6.8"]


def test_what_shrinks_is_told_with_its_numbers() -> None:
    text = what_shrinks(STANDARD, TRAINED, READ).markdown
    assert "mean distance of the median latent goes from 0.200 to 0.050." in text
    assert "hidden neurons that it reads goes from 18.0 to 4.5, the distance of its examples as images" in text
    assert "from 0.600 to 0.600 (random images: from 0.750 to 0.750)." in text
    assert "have 0 latents of the standard SAE and 2 latents of the SAE with NE loss." in text
    assert "**80% of its weight on a single hidden neuron**; their 2 strongest hidden neurons are 1 different" in text


def test_where_no_latent_is_broad_nothing_is_said_about_them() -> None:
    text = what_shrinks(TRAINED, STANDARD, READ).markdown
    assert text.endswith("have 2 latents of the SAE with NE loss and 0 latents of the standard SAE.")


def test_latents_that_matter_to_the_logits_are_counted() -> None:
    text = logit_share([STANDARD, TRAINED], READ).markdown
    assert "by 0.1 or more by 2 of the 4 latents of the standard SAE and 2 of the 4 latents of the SAE" in text
    assert "by 0.05 or more by 3 of" in logit_share([STANDARD], READ, least=0.05).markdown


def test_provenance_names_one_seed_or_several() -> None:
    assert "an MLP 784-64-10, seed 3; float32" in mnist_provenance("quick", 1, 3).markdown
    assert "one for each seed, 3 to 7; float32" in mnist_provenance("quick", 5, 3).markdown
