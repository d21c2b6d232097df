"""Contestants in a learned basis."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from nbkit.method.truth.benchmark import benchmark
from nbkit.method.truth.toys import Toy, toy_units
from nbkit.method.truth.unit import Background, Unit
from nbkit.studies.ground_truth.learned import autoencoder_of, learned_basis, learned_codes, learned_features


def test_an_autoencoder_is_trained_once_and_its_latents_add_up_to_the_pre_activation() -> None:
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    background = Background((rng.random((2000, 8)) * (rng.random((2000, 8)) < 0.15)) @ directions)
    trained, start = (autoencoder_of(background, 16, 3, epochs) for epochs in (40, 0))
    assert trained is autoencoder_of(background, 16, 3, 40)
    unit = Unit(background.vectors[:50], rng.normal(size=8), background)
    options = {"d_sae": 16, "k": 3, "epochs": 40}
    found = learned_features(unit, **options)
    assert ((found.codes > 0).sum(axis=1) <= 3).all() and (found.codes >= 0).all()
    np.testing.assert_array_equal(learned_codes(unit, **options), found.codes)
    given_back = found.codes @ found.directions + trained.b_dec.detach().numpy()
    added = learned_basis(unit, **options).sum(axis=1) + trained.b_dec.detach().numpy() @ unit.weights
    np.testing.assert_allclose(added, given_back @ unit.weights, atol=1e-5)
    x = torch.from_numpy(background.vectors).float()
    with torch.no_grad():
        missed, missed_before = (float((sae(x)[1] - x).square().sum() / x.var(0).sum()) for sae in (trained, start))
    assert missed < 0.2 * missed_before


def test_an_autoencoder_that_has_learned_nothing_knows_no_feature_of_a_toy() -> None:
    unit = toy_units(Toy(steps=1))[0].unit
    assert unit.features is not None
    start = autoencoder_of(unit.background, 240, 6, 0)  # with the toy's seed
    directions = start.w_dec.detach().numpy()
    directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    assert (directions @ unit.features.directions.T).max() < 0.9


def test_a_learned_basis_enters_the_benchmark_with_its_control() -> None:
    units = toy_units(Toy(n_features=30, width=12, n_units=8, active=2, n_examples=40, steps=60))[:2]
    table = benchmark({"learned": partial(learned_basis, d_sae=40, k=4, epochs=2)}, units)
    assert set(table["contestant"]) == {"pre-MLP", "learned"} and set(table["condition"]) == {"own", "shuffled"}
