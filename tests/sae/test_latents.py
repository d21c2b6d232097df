"""Measures of single latents: known answers, and loops over latents and pairs written from the definitions."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nbkit.method.clusters import cosine_distances
from nbkit.sae.latents import (
    ExampleCollector,
    Examples,
    Monosemanticity,
    example_distances,
    participation,
    purities,
)
from nbkit.sae.pairs import Pairs

NAN = float("nan")


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sparse(n: int, m: int, seed: int = 0, share: float = 0.3) -> Tensor:
    """Activations; the first latent is never active, the second once, the third always."""
    z = torch.rand(n, m, generator=generator(seed)) * (torch.rand(n, m, generator=generator(seed + 1)) < share)
    z[:, 0] = 0
    z[:, 1] = 0
    z[n // 2, 1] = 0.7
    z[:, 2] = 0.5 + torch.rand(n, generator=generator(seed + 2))
    return z


def collect(z: Tensor, max_examples: int = 100, batch_size: int = 7) -> Examples:
    collector = ExampleCollector(z.shape[1], max_examples)
    for start in range(0, len(z), batch_size):
        collector.add(Pairs(z[start : start + batch_size]), start)
    return collector.examples()


def score(z: Tensor, images: Tensor, batch_size: int = 7) -> Tensor:
    total = Monosemanticity(z.shape[1], images.shape[1])
    for part, shown in zip(z.split(batch_size), images.split(batch_size), strict=True):
        total.add(Pairs(part), shown)
    return total.scores()


def slow_score(a: Tensor, images: Tensor) -> float:
    """Pach et al. 2025, pair by pair."""
    a = (a - a.min()).double()
    cosine = 1 - cosine_distances(images.numpy())
    pairs = list(combinations(range(len(a)), 2))
    weights = [float(a[i] * a[j]) for i, j in pairs]
    return float(np.average([cosine[pair] for pair in pairs], weights=weights))


@pytest.mark.parametrize("batch_size", [1, 2, 7, 40])
@pytest.mark.parametrize("max_examples", [1, 5, 100])
def test_examples_are_the_first_inputs_in_order(batch_size: int, max_examples: int) -> None:
    z = sparse(40, 6)
    examples = collect(z, max_examples, batch_size)
    for latent in range(6):
        first = [i for i in range(40) if z[i, latent] > 0][:max_examples]
        assert examples.inputs[examples.of(latent)].tolist() == first
        assert torch.equal(examples.activations[examples.of(latent)], z[first, latent])
        assert int(examples.sizes[latent]) == len(first)


@pytest.mark.parametrize("group", [1, 500, 2**20])
def test_distances_equal_a_loop_over_latents(group: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbkit.sae.latents.GROUP", group)
    h, w_enc = torch.randn(40, 5, generator=generator(3)), torch.randn(5, 20, generator=generator(4))
    examples = collect(sparse(40, 20), 12)
    largest, mean = example_distances(h, w_enc, examples)
    for latent in range(20):
        inputs = examples.inputs[examples.of(latent)]
        if len(inputs) < 2:
            assert largest[latent].isnan() and mean[latent].isnan()
            continue
        distances = cosine_distances((h[inputs].double() * w_enc[:, latent].double()).numpy())
        pairs = [distances[i, j] for i, j in combinations(range(len(inputs)), 2)]
        assert float(largest[latent]) == pytest.approx(max(pairs), abs=1e-14)
        assert float(mean[latent]) == pytest.approx(np.mean(pairs), abs=1e-14)


def test_distances_known_answer() -> None:
    h = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0], [-3.0, 0.0]])
    w_enc = torch.tensor([[1.0, 2.0, 1.0], [1.0, 0.0, -1.0]])
    z = torch.tensor([[1.0, 1, 0], [1, 1, 0], [1, 0, 1], [1, 0, 0]])
    largest, mean = example_distances(h, w_enc, collect(z))
    angle45 = 1 - 0.5**0.5
    torch.testing.assert_close(largest, torch.tensor([2.0, 0.0, NAN]).double(), equal_nan=True)
    all_pairs = (angle45 + 1 + 2 + angle45 + (2 - angle45) + 1) / 6
    torch.testing.assert_close(mean, torch.tensor([all_pairs, 0.0, NAN]).double(), equal_nan=True)


def test_small_distances_are_exact_to_float64() -> None:
    h = torch.tensor([[1.0, 0.0], [1.0, 1e-6]])
    largest, mean = example_distances(h, torch.ones(2, 1), collect(torch.ones(2, 1)))
    assert float(largest[0]) == float(mean[0]) == pytest.approx(5e-13, rel=1e-3)


def test_embeddings_of_zeros_are_apart_from_all() -> None:
    h = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    largest, mean = example_distances(h, torch.tensor([[1.0], [0.0]]), collect(torch.ones(3, 1)))
    assert largest.tolist() == mean.tolist() == [1.0]


def test_distances_without_any_example() -> None:
    for values in example_distances(torch.ones(3, 2), torch.ones(2, 4), collect(torch.zeros(3, 4))):
        assert values.isnan().all() and values.shape == (4,)


@given(st.integers(0, 10_000), st.floats(1e-3, 1e3))
def test_neither_the_size_of_inputs_nor_of_weights_changes_distances(seed: int, factor: float) -> None:
    h, w_enc = torch.randn(12, 4, generator=generator(seed)), torch.randn(4, 5, generator=generator(seed + 1))
    examples = collect(sparse(12, 5, seed))
    scales = torch.rand(12, 1, generator=generator(seed + 2)) + 0.1
    expected = example_distances(h, w_enc, examples)
    torch.testing.assert_close(example_distances(h * scales, w_enc, examples), expected, equal_nan=True)
    torch.testing.assert_close(example_distances(h, w_enc * factor, examples), expected, equal_nan=True)


def test_purities_known_answer() -> None:
    z = torch.tensor([[1.0, 0, 0, 1], [1, 0, 0, 1], [1, 1, 0, 0], [1, 0, 0, 1]])
    found = purities(collect(z), torch.tensor([5, -2, 5, 10**12]))
    torch.testing.assert_close(found, torch.tensor([0.5, 1.0, NAN, 1 / 3]).double(), equal_nan=True)


def test_purity_counts_the_kept_examples_only() -> None:
    assert purities(collect(torch.ones(6, 1), max_examples=3), torch.tensor([1, 1, 2, 3, 3, 3])).tolist() == [2 / 3]


def test_participation_known_answer() -> None:
    weights = torch.tensor([[1.0, 1, 3, 0, 1e-30], [0, -1, 1, 0, 1e-30], [0, 1, 0, 0, 0]])
    expected = torch.tensor([1.0, 3.0, 100 / 82, NAN, 2.0]).double()
    torch.testing.assert_close(participation(weights), expected, equal_nan=True)


@given(st.integers(0, 10_000), st.integers(1, 9))
def test_participation_is_between_one_and_the_inputs(seed: int, d_in: int) -> None:
    found = participation(torch.randn(d_in, 6, generator=generator(seed)))
    assert (found >= 1 - 1e-12).all() and (found <= d_in + 1e-12).all()


def test_monosemanticity_known_answer() -> None:
    images = torch.tensor([[1.0, 0.0], [5.0, 0.0], [0.0, 2.0]])
    z = torch.tensor([[1.0, 1, 3, 0], [2, 0, 1, 0], [0, 1, 2, 1]])
    # the third latent is never off, so its smallest activation counts as none: 2, 0, 1
    torch.testing.assert_close(score(z, images), torch.tensor([1.0, 0.0, 0.0, NAN]).double(), equal_nan=True)


@given(st.integers(0, 10_000))
def test_monosemanticity_equals_a_loop_over_pairs(seed: int) -> None:
    z, images = sparse(20, 6, seed), torch.rand(20, 5, generator=generator(seed + 3))
    found = score(z, images)
    assert found[:2].isnan().all()
    for latent in range(2, 6):
        if (z[:, latent] > 0).sum() >= 2:
            assert float(found[latent]) == pytest.approx(slow_score(z[:, latent], images), abs=1e-9)


def test_monosemanticity_of_one_strong_and_one_weak_input() -> None:
    """Here float32 would have nothing left of the pair."""
    images = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0]])
    assert float(score(torch.tensor([[1.0], [1e-4], [0.0]]), images)) == pytest.approx(0.5**0.5, abs=1e-9)


@given(st.integers(0, 10_000), st.floats(1e-3, 1e3))
def test_scale_changes_no_monosemanticity(seed: int, factor: float) -> None:
    z, images = sparse(15, 5, seed), torch.rand(15, 4, generator=generator(seed + 3))
    brightness = torch.rand(15, 1, generator=generator(seed + 4)) + 0.1
    torch.testing.assert_close(
        score(z.double() * factor, images.double() * brightness), score(z.double(), images.double()), equal_nan=True
    )


def test_batches_do_not_matter() -> None:
    z, images = sparse(50, 8), torch.rand(50, 6, generator=generator(9))
    for batch_size in (1, 3, 50):
        torch.testing.assert_close(score(z, images, batch_size), score(z, images), atol=1e-12, rtol=0, equal_nan=True)
