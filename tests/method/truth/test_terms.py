"""What merged units are made of, plain and gated."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch.nn.functional import silu

from nbkit.errors import NbkitError
from nbkit.method.embeddings import gated_gradient_embeddings
from nbkit.method.truth.merged import merged_units
from nbkit.method.truth.terms import GatedTerms, PlainTerms

RNG = np.random.default_rng(0)
W, U, B, C = (RNG.normal(size=shape) for shape in ((6, 4), (6, 4), 6, 6))
GATED = GatedTerms(W, U, silu, B, C)
H = RNG.normal(size=(5, 4))
CHOSEN, FACTORS = np.array([4, 1]), np.array([2.0, 0.5])


def test_parts_and_weights_of_plain_terms() -> None:
    parts = PlainTerms(W).parts(H, CHOSEN)
    np.testing.assert_allclose(parts, np.stack([H @ W[4], H @ W[1]], axis=1))
    weights = PlainTerms(W).weights(H, CHOSEN, FACTORS)
    np.testing.assert_allclose(H @ weights, parts @ FACTORS)


def test_parts_of_gated_terms_are_their_activations() -> None:
    for row, h in zip(GATED.parts(H, CHOSEN), H, strict=True):
        gates = [float(h @ W[i] + B[i]) for i in CHOSEN]
        ups = [float(h @ U[i] + C[i]) for i in CHOSEN]
        np.testing.assert_allclose(row, [g / (1 + np.exp(-g)) * u for g, u in zip(gates, ups, strict=True)])


def test_weights_of_gated_terms_are_the_mean_of_the_projects_gradients() -> None:
    gradients = sum(
        factor * gated_gradient_embeddings(H, W[i], U[i], silu, float(B[i]), float(C[i])) / H
        for i, factor in zip(CHOSEN, FACTORS, strict=True)
    )
    assert isinstance(gradients, np.ndarray)
    with torch.no_grad():
        np.testing.assert_allclose(GATED.weights(H, CHOSEN, FACTORS), gradients.mean(axis=0))


def test_without_biases_they_are_zeros() -> None:
    zeros = GatedTerms(W, U, silu, np.zeros(6), np.zeros(6))
    np.testing.assert_array_equal(GatedTerms(W, U, silu).parts(H, CHOSEN), zeros.parts(H, CHOSEN))


def test_gated_units_are_merged_by_what_they_give_not_by_what_opens_them() -> None:
    gate, up = np.eye(4) + 0.01, np.diag([1.0, 2.0, 3.0, 4.0])
    read = [np.outer(np.arange(1, 13), np.eye(4)[i]) + 0.1 for i in range(4)]
    terms = GatedTerms(gate, up, torch.relu)
    merged = merged_units(terms, read, "layer", terms=2, n_examples=24, task="gated")
    assert len(merged) == 2
    for labeled, other in zip(merged, merged[::-1], strict=True):
        assert labeled.task == "gated"
        chosen = [int(word.strip(",")) for word in labeled.name.split()[2:]]
        np.testing.assert_array_equal(labeled.unit.read.argmax(axis=1), np.array(chosen)[labeled.labels])
        # each opens for its own alone, so the other two directions are hardly read
        assert set(np.argsort(-np.abs(labeled.unit.weights))[:2].tolist()) == set(chosen)
        assert not np.array_equal(labeled.other_weights, other.unit.weights)  # its gradient at these examples


def test_the_gradient_of_each_example_would_give_the_label_away() -> None:
    rng = np.random.default_rng(1)
    gate, up = rng.normal(size=(2, 40, 30)) / 30**0.5
    h = rng.normal(size=(4000, 30))
    terms = GatedTerms(gate, up, torch.relu)
    read = [h[terms.parts(h, np.array([i]))[:, 0] > 1.5][:30] for i in range(40)]
    found = []
    for labeled in merged_units(terms, read, "layer", terms=2, n_examples=60, task="gated"):
        clear = labeled.take(~labeled.ambiguous)
        chosen = np.array([int(word.strip(",")) for word in labeled.name.split()[2:]])
        slopes = [terms.weights(each[None], chosen, np.ones(2)) @ (gate + up)[chosen[0]] for each in clear.unit.read]
        found.append(roc_auc_score(clear.labels == 0, slopes))
    assert np.mean(found) > 0.9


def test_terms_of_another_shape_are_refused() -> None:
    with pytest.raises(NbkitError, match=r"shape \(4,\): give \(m, d\)"):
        PlainTerms(W[0])
    with pytest.raises(NbkitError, match="give one for each"):
        GatedTerms(W, U[:3], silu)
    for biases in ((B[:4], C), (None, np.append(C, 1)), (B[:, None], C), (1.0, None)):
        with pytest.raises(NbkitError, match="for 6 units: give one for each"):
            GatedTerms(W, U, silu, *biases)  # type: ignore[arg-type]
