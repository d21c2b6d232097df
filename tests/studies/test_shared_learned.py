"""Contestants in a learned basis."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from nbkit.method.feature_basis import feature_contributions
from nbkit.method.truth.benchmark import benchmark
from nbkit.method.truth.toys import Toy, toy_units
from nbkit.method.truth.unit import Background, Features, Unit
from nbkit.studies.shared.learned import (
    ON_TOYS,
    autoencoder_of,
    dictionary_of,
    in_basis,
    trained_on_background,
    unexplained,
)
from nbkit.studies.shared.scaled_training import topk_config

CONFIG = topk_config(d_sae=16, k=3, epochs=40, learning_rate=3e-3)


@pytest.fixture(scope="module")
def background() -> Background:
    """Sparse sums of eight directions at right angles, moved and scaled."""
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    return Background(50 * (rng.random((2000, 8)) * (rng.random((2000, 8)) < 0.15)) @ directions + 30)


def test_an_autoencoder_is_trained_once_and_explains_more_than_at_its_start(background: Background) -> None:
    trained, start = (autoencoder_of(background, CONFIG, trained) for trained in (True, False))
    assert trained is autoencoder_of(background, CONFIG, True)
    assert unexplained(trained, background) < 0.2 < unexplained(start, background)
    x = torch.tensor(background.vectors).float()
    with torch.no_grad():
        by_hand = float((trained(x)[1] - x).square().sum() / ((x - x.mean(0)) ** 2).sum())
    assert unexplained(trained, background) == pytest.approx(by_hand)


def test_its_latents_add_up_to_the_pre_activation(background: Background) -> None:
    trained = autoencoder_of(background, CONFIG, True)
    unit = Unit(background.vectors[:50], np.random.default_rng(1).normal(size=8), background)
    dictionary = trained_on_background(CONFIG)
    found = dictionary(unit)
    assert ((found.codes > 0).sum(axis=1) <= 3).all() and (found.codes >= 0).all()
    given_back = trained(torch.tensor(unit.read).float())[1].detach().numpy()
    added = in_basis(dictionary)["contributions"](unit)
    assert added is not None
    bias = float(trained.b_dec.detach().numpy() @ unit.weights)
    np.testing.assert_allclose(added.sum(axis=1) + bias, given_back @ unit.weights, rtol=1e-4)
    again = dictionary_of(trained)(unit)
    np.testing.assert_array_equal(added, feature_contributions(again.codes, again.directions, unit.weights))


def test_denoised_is_what_the_autoencoder_gives_back_minus_the_layers_mean(background: Background) -> None:
    trained = autoencoder_of(background, CONFIG, True)
    unit = Unit(background.vectors[:50], np.random.default_rng(1).normal(size=8), background)
    spaces = in_basis(trained_on_background(CONFIG))
    with torch.no_grad():
        given_back = trained(torch.tensor(unit.read).float())[1].numpy()
    expected = given_back - background.vectors.mean(axis=0)
    for name, by_hand in (("denoised", expected), ("paper's, denoised", expected * unit.weights)):
        found = spaces[name](unit)
        assert found is not None
        np.testing.assert_allclose(found, by_hand, rtol=1e-3, atol=1e-3)


def test_denoising_leaves_out_what_no_feature_holds() -> None:
    read = np.array([[5.0, 3.0, 9.0], [2.0, 4.0, -9.0]])
    unit = Unit(read, np.array([2.0, -1.0, 100.0]), Background(np.array([[1.0, 1.0, 4.0], [3.0, 1.0, 4.0]])))
    of_two = in_basis(lambda seen: Features(seen.read[:, :2], np.eye(3)[:2], np.array([0.0, 0.0, 4.0])))
    for name, expected in (("denoised", [[3, 2, 0], [0, 3, 0]]), ("paper's, denoised", [[6, -2, 0], [0, -3, 0]])):
        found = of_two[name](unit)
        assert found is not None
        np.testing.assert_array_equal(found, expected)


def test_a_dictionary_looks_once_at_the_same_vectors(background: Background) -> None:
    dictionary = dictionary_of(autoencoder_of(background, CONFIG, True))
    unit = Unit(background.vectors[:50], np.ones(8), background)
    found = dictionary(unit)
    assert dictionary(replace(unit, weights=np.zeros(8))) is found
    other = dictionary(replace(unit, read=background.vectors[50:90]))
    assert len(other.codes) == 40
    np.testing.assert_array_equal(dictionary(unit).codes, found.codes)


def test_an_autoencoder_that_has_learned_nothing_knows_no_feature_of_a_toy() -> None:
    unit = toy_units(Toy(steps=1))[0].unit
    assert unit.features is not None
    start = autoencoder_of(unit.background, ON_TOYS, trained=False)  # with the toy's seed
    directions = start.w_dec.detach().numpy()
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    assert (directions @ unit.features.directions.T).max() < 0.9


def test_a_learned_basis_enters_the_benchmark_with_its_control() -> None:
    units = toy_units(Toy(n_features=30, width=12, n_units=8, active=2, n_examples=40, steps=60))[:2]
    contestants = in_basis(trained_on_background(topk_config(d_sae=40, k=4, epochs=2)), "learned ")
    table = benchmark(contestants, units)
    assert set(table["contestant"]) == {"pre-MLP", *contestants} and set(table["condition"]) == {"own", "shuffled"}
    wide = table[table["measure"] == "auc"].pivot_table(index="contestant", columns="condition", values="value")
    assert wide.loc["learned codes", "own"] == wide.loc["learned codes", "shuffled"]  # weights mean nothing to them
    assert wide.loc["learned features", "own"] != wide.loc["learned features", "shuffled"]
