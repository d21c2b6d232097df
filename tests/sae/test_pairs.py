"""Pairs of inputs and active latents, and the pass over them, against plain loops and whole matrix products."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import nbkit.sae.pairs
from nbkit.sae.pairs import Pairs
from nbkit.sae.sparse_pass import SparsePass

B, D_IN, D_SAE = 7, 5, 11


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def listed(z: Tensor) -> list[tuple[int, int, int, int]]:
    """Autoencoder, input and latent of every pair, each counted within its autoencoder, and the latent in the stack."""
    stack = z.view(-1, B, D_SAE)
    return [
        (s, i, j, s * D_SAE + j)
        for s in range(len(stack))
        for j in range(D_SAE)
        for i in range(B)
        if stack[s, i, j] > 0
    ]


@pytest.fixture(params=[0.0, 1.0], ids=["whole products", "pairs alone"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(nbkit.sae.pairs, "FEW_PAIRS", request.param)
    return bool(request.param)


def test_a_known_batch() -> None:
    pairs = Pairs(torch.tensor([[0.0, 2.0, 0.0], [3.0, 4.0, -1.0], [5.0, 0.0, 0.0]]))
    assert pairs.latent.tolist() == [0, 0, 1, 1]
    assert pairs.input.tolist() == [1, 2, 0, 1]
    assert pairs.starts.tolist() == [0, 2, 4, 4]
    assert pairs.n_active.tolist() == [2, 2, 0]
    assert pairs.earlier.tolist() == [0, 1, 0, 1]
    assert pairs.later.tolist() == [1, 0, 1, 0]
    assert pairs.activation.tolist() == [3, 5, 2, 4]


@pytest.mark.parametrize("stack", [(), (3,)])
@pytest.mark.parametrize("shift", [-1.0, 0.5, -9.0])
def test_sums_and_products_are_those_of_a_loop(stack: tuple[int, ...], shift: float, few: bool) -> None:
    z, h, a = random(*stack, B, D_SAE) + shift, random(*stack, B, D_IN, seed=1), random(*stack, D_SAE, D_IN, seed=2)
    pairs, found = Pairs(z), listed(z)
    assert pairs.few == (few or shift == -9)
    weights = random(len(found), seed=3)
    rows, inputs, latents = a.view(-1, D_IN), h.view(-1, B, D_IN), z.view(-1, B, D_SAE)
    products = [inputs[s, i] @ rows[row] for s, i, _, row in found]
    sums, mixtures = torch.zeros_like(rows), torch.zeros_like(inputs)
    for weight, (s, i, j, row) in zip(weights, found, strict=True):
        sums[row] += weight * inputs[s, i]
        mixtures[s, i] += latents[s, i, j] * rows[row]
    assert pairs.latent.tolist() == [row for *_, row in found]
    torch.testing.assert_close(pairs.products(rows, h), torch.tensor(products, dtype=torch.float64))
    torch.testing.assert_close(pairs.sums(h, weights), sums)
    torch.testing.assert_close(pairs.mixtures(rows), mixtures.view(-1, D_IN))


@pytest.mark.parametrize("stack", [(), (3,)])
def test_gradients_of_the_pass_are_those_of_the_plain_equations(stack: tuple[int, ...], few: bool) -> None:
    h = random(*stack, B, D_IN)
    shapes = [(D_IN, D_SAE), (D_SAE,), (D_SAE, D_IN), (D_IN,)]
    w_enc, b_enc, w_dec, b_dec = weights = [random(*stack, *shape, seed=9).requires_grad_(True) for shape in shapes]
    z = ((h - b_dec[..., None, :]) @ w_enc + b_enc[..., None, :]).relu()
    error = z @ w_dec + b_dec[..., None, :] - h
    upstream = random(*z.shape, seed=4), random(*h.shape, seed=5)
    expected = torch.autograd.grad([z, error], weights, upstream)
    sparse_z, sparse_error = SparsePass.apply(h, Pairs(z), *weights)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(sparse_z, z)
    torch.testing.assert_close(sparse_error, error)
    for mine, other in zip(torch.autograd.grad([sparse_z, sparse_error], weights, upstream), expected, strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_other_precisions(dtype: torch.dtype) -> None:
    z, h, a = (random(*shape, seed=seed).to(dtype) for seed, shape in enumerate([(B, D_SAE), (B, D_IN), (D_SAE, D_IN)]))
    pairs, exact = Pairs(z - 2), Pairs(z.double() - 2)
    assert pairs.few == (dtype == torch.float32)
    found, expected = pairs.products(a, h), exact.products(a.double(), h.double())
    torch.testing.assert_close(found.double(), expected, rtol=0.02, atol=0.02)
