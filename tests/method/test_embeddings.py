"""Neuron embeddings: known answers, the identity with the pre-activation, and gradients against autograd."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.nn import functional

from nbkit.errors import NbkitError
from nbkit.method.clusters import cosine_distances
from nbkit.method.embeddings import (
    gated_gradient_embeddings,
    gated_weights,
    gradient_embeddings,
    neuron_embeddings,
)

ACTIVATIONS: list[Callable[[torch.Tensor], torch.Tensor]] = [
    functional.gelu,
    functional.relu,
    functional.silu,
    lambda x: functional.gelu(x, approximate="tanh"),
    lambda x: torch.square(functional.relu(x)),
]


def test_known_answer() -> None:
    embedded = neuron_embeddings(np.array([[1.0, 2.0, -3.0], [0.0, 1.0, 1.0]]), np.array([2.0, 0.5, 1.0]))
    assert embedded.tolist() == [[2.0, 1.0, -3.0], [0.0, 0.5, 1.0]]


def test_sum_plus_bias_is_the_pre_activation() -> None:
    rng = np.random.default_rng(0)
    layer = torch.nn.Linear(16, 4, dtype=torch.float64)
    h = torch.from_numpy(rng.normal(size=(7, 16)))
    for neuron in range(4):
        embedded = neuron_embeddings(h, layer.weight[neuron])
        torch.testing.assert_close(embedded.sum(-1) + layer.bias[neuron], layer(h)[:, neuron])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 5)])
def test_keeps_library_dtype_and_shape(dtype: str, shape: tuple[int, ...]) -> None:
    h, w = np.ones(shape, dtype), np.ones(5, dtype)
    embedded = neuron_embeddings(h, w)
    assert isinstance(embedded, np.ndarray)
    assert (embedded.shape, embedded.dtype) == (shape, np.dtype(dtype))
    tensor = neuron_embeddings(torch.from_numpy(h), torch.from_numpy(w))
    assert isinstance(tensor, torch.Tensor)
    assert (tensor.shape, tensor.dtype) == (shape, getattr(torch, dtype))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_plain_gradient_is_the_vector_times_autograds_gradient(
    activation: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    rng = np.random.default_rng(1)
    h = torch.from_numpy(rng.normal(size=(20, 8))).requires_grad_(True)
    w, bias = torch.from_numpy(rng.normal(size=8)), 0.3
    (gradient,) = torch.autograd.grad(activation(h @ w + bias).sum(), h)
    embedded = gradient_embeddings(h, w, bias, activation)
    assert not embedded.requires_grad
    torch.testing.assert_close(embedded, (h * gradient).detach())


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("b_gate", "b_in"), [(0.0, 0.0), (0.4, -0.2)])
def test_gated_gradient_is_the_vector_times_autograds_gradient(
    activation: Callable[[torch.Tensor], torch.Tensor], b_gate: float, b_in: float
) -> None:
    rng = np.random.default_rng(2)
    h = torch.from_numpy(rng.normal(size=(20, 8))).requires_grad_(True)
    gate, up = torch.from_numpy(rng.normal(size=8)), torch.from_numpy(rng.normal(size=8))
    (gradient,) = torch.autograd.grad((activation(h @ gate + b_gate) * (h @ up + b_in)).sum(), h)
    embedded = gated_gradient_embeddings(h, gate, up, activation, b_gate, b_in)
    torch.testing.assert_close(embedded, (h * gradient).detach())
    weights = gated_weights(h.detach().numpy(), gate.numpy(), up.numpy(), activation, b_gate, b_in)
    np.testing.assert_allclose(weights, gradient.mean(dim=0).numpy())


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_plain_gradient_has_the_paper_distances_where_the_slope_is_positive(
    activation: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        h, w = rng.normal(size=(30, 12)), rng.normal(size=12)
        bias = float(rng.normal())
        rising = h[h @ w + bias > 0.1]  # every dataset example of a plain neuron: its activation is positive
        paper = cosine_distances(neuron_embeddings(rising, w))
        np.testing.assert_allclose(
            cosine_distances(gradient_embeddings(rising, w, bias, activation)), paper, rtol=0, atol=1e-12
        )


def test_gated_gradient_with_equal_weights_points_along_equation_1() -> None:
    rng = np.random.default_rng(4)
    h, w = rng.normal(size=(30, 12)), rng.normal(size=12)
    h = h[h @ w > 0]
    np.testing.assert_allclose(
        cosine_distances(gated_gradient_embeddings(h, w, w, functional.silu)),
        cosine_distances(neuron_embeddings(h, w)),
        rtol=0,
        atol=1e-12,
    )


def test_numpy_comes_back_as_numpy_even_read_only_and_under_no_grad() -> None:
    rng = np.random.default_rng(5)
    h, w = rng.normal(size=(4, 6)).astype(np.float32), rng.normal(size=6).astype(np.float32)
    for array in (h, w):
        array.setflags(write=False)
    with torch.no_grad():
        plain = gradient_embeddings(h, w, 0.0, functional.silu)
        gated = gated_gradient_embeddings(h, w, w[::-1], functional.silu)
    for embedded in (plain, gated):
        assert isinstance(embedded, np.ndarray)
        assert embedded.dtype == np.float32
        assert embedded.shape == (4, 6)


def test_unequal_widths_are_refused() -> None:
    h, w, short = np.ones((4, 6)), np.ones(6), np.ones(5)
    with pytest.raises(NbkitError, match=r"\(4, 6\).*\(5,\)"):
        neuron_embeddings(h, short)
    with pytest.raises(NbkitError, match=r"one neuron's weights"):
        neuron_embeddings(h, np.ones((6, 6)))
    with pytest.raises(NbkitError, match=r"\(5,\)"):
        gradient_embeddings(h, short, 0.0, functional.gelu)
    with pytest.raises(NbkitError, match=r"\(5,\)"):
        gated_gradient_embeddings(h, w, short, functional.silu)
    with pytest.raises(NbkitError, match=r"\(5,\)"):
        gated_gradient_embeddings(h, short, w, functional.silu)
