"""What the pages of the hidden layer and of single latents say about numbers that are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from nbkit.mnist.choice import LatentChoice
from nbkit.mnist.mlp import MnistMLP
from nbkit.mnist.view import LatentView
from nbkit.studies.hidden_layer.findings import (
    hidden_neurons,
    hidden_spaces_table,
    mlp_accuracy,
    what_polysemantic_means,
)
from nbkit.studies.hidden_layer.spaces import IMAGES, METRICS, WEIGHTS
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


def spaces(steps: dict[tuple[str, str], float], noise: float = 0.0) -> pd.DataFrame:
    """Every metric is 0.5, plus a step for some images and weights."""
    rng = np.random.default_rng(0)
    rows = [
        {"neuron": neuron, "images": of, "weights": by}
        | {name: 0.5 + steps.get((of, by), 0.0) + noise * rng.normal() for name in METRICS}
        for neuron in range(32)
        for of in IMAGES
        for by in WEIGHTS
    ]
    return pd.DataFrame(rows)


def test_the_table_of_spaces_has_medians_and_every_control() -> None:
    table = hidden_spaces_table(spaces({("strongest", "own"): -0.2}).assign(n_clusters=86.5))
    assert table.shape == (9, 5)
    assert list(table["mean distance"]) == ["0.50"] * 6 + ["0.30", "0.50", "0.50"]
    assert set(table["clusters"]) == {"86"}
    assert list(table["commonest digit"]) == ["0.50", "", "", "0.50", "", "", "0.30", "", ""]
    assert list(table.index[6:]) == [
        "its strongest images, own weights",
        "… another neuron's weights (control)",
        "… no weights",
    ]


def lines(table: pd.DataFrame) -> list[str]:
    return [line for line in what_polysemantic_means(table).markdown.splitlines() if line.startswith("- ")]


def test_differences_are_those_of_the_right_rows() -> None:
    steps = {("examples", "own"): 0.1, ("random", "own"): 0.3, ("examples", "shuffled"): -0.1}
    steps |= {("strongest", "own"): -0.3, ("strongest", "shuffled"): -0.2, ("strongest", "none"): -0.4}
    first, strongest, digits = lines(spaces(steps))
    assert "is lower by 0.200" in first and "and higher by 0.200" in first
    assert "is lower by 0.600" in strongest and "and lower by 0.100" in strongest
    assert "is lower by 0.100" in digits and "and higher by 0.100" in digits


def test_where_there_is_no_difference_none_is_claimed() -> None:
    for line in lines(spaces({}, noise=0.1)):
        assert line.count("not measurably different") == 2


def test_hidden_neurons_in_a_sentence() -> None:
    view = view_of(
        "hidden layer",
        {
            "n_examples": [4000, 7000, 9000],
            "n_clusters": [70, 80, 95],
            "mean_distance": [0.7, 0.75, 0.8],
            "purity": [0.1, 0.2, 0.4],
        },
    )
    text = hidden_neurons(view).markdown
    assert text == (
        "Median over the 3 neurons, and range: 7,000 (4,000 to 9,000) test images activate a neuron. Its examples fall "
        "into 80 (70 to 95) feature clusters, their mean distance is 0.75 (0.70 to 0.80), and 20% (10% to 40%) of them "
        "show the commonest digit."
    )


def test_the_accuracy_of_the_mlp_stands_beside_the_paper_s() -> None:
    text = mlp_accuracy(1).markdown
    assert "Adadelta with learning rate 0.12, times 0.5 after each epoch, and L2 decay 0.005; dropout of 4% of" in text
    found = float(text.split("The MLP of this page, seed 0: ")[1].split("%")[0])
    assert found == pytest.approx(94.0, abs=0.6)
    assert f"over 1 seed: **{found:.2f}%**; the paper's is 94.0%." in text


def test_the_accuracy_over_seeds_is_a_mean_with_its_deviation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each seed asks for its own MLP, where it could be trained: not while gradients are off."""
    seeds: list[int] = []

    def mlp_for(seed: int) -> MnistMLP:
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
        seeds.append(seed)
        return MnistMLP(seed).requires_grad_(False)

    shares = iter([0.93, 0.95, 0.94])
    monkeypatch.setattr("nbkit.studies.hidden_layer.findings.mlp_for", mlp_for)
    monkeypatch.setattr("nbkit.studies.hidden_layer.findings.accuracy", lambda *_: next(shares))
    text = mlp_accuracy(3, seed=5).markdown
    assert seeds == [5, 6, 7]
    assert "over 3 seeds: **94.00 ± 1.00%** (mean ± standard deviation)" in text
    assert text.endswith("The MLP of this page, seed 5: 93.00%.")


def test_provenance_names_one_seed_or_several() -> None:
    assert "an MLP 784-64-10, seed 3; float32" in mnist_provenance("quick", 1, 3).markdown
    assert "one for each seed, 3 to 7; float32" in mnist_provenance("quick", 5, 3).markdown
