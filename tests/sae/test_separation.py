"""Silhouettes in two clusters: known answers, and SciPy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import silhouette_score
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.sae.separation import silhouettes, two_cluster_silhouettes


def offsets(*sizes: int) -> Tensor:
    return torch.tensor([0, *sizes]).cumsum(0)


def silhouette(condensed: np.ndarray) -> float:
    return float(silhouettes(condensed[None])[0])


def test_known_answer() -> None:
    points = np.array([[0.0], [1.0], [10.0]])  # {0, 1} against {10}, which is alone and counts 0
    scores = [(10 - 1) / 10, (9 - 1) / 9, 0]
    assert silhouette(pdist(points)) == pytest.approx(np.mean(scores))


@pytest.mark.parametrize("seed", range(30))
def test_agrees_with_scipy_and_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    condensed = pdist(rng.normal(size=(int(rng.integers(3, 30)), 4)) + 3 * rng.integers(0, 2, size=1))
    labels = fcluster(linkage(condensed, "average"), 2, "maxclust")
    expected = silhouette_score(squareform(condensed), labels, metric="precomputed")
    assert silhouette(condensed) == pytest.approx(expected)


def test_each_set_of_points_has_its_own_tree() -> None:
    rng = np.random.default_rng(0)
    sets = np.stack([pdist(rng.normal(size=(10, 3))) for _ in range(20)])
    assert silhouettes(sets) == pytest.approx([silhouette(condensed) for condensed in sets], abs=1e-12)


def test_points_that_coincide_are_no_two_groups() -> None:
    assert silhouette(np.zeros(6)) == 0


def test_each_latent_has_its_own_first_examples_and_weights() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors, weights = torch.rand(40, 6, generator=generator), torch.randn(6, 3, generator=generator)
    inputs = torch.randint(40, (12 + 2 + 7,), generator=generator)
    found = two_cluster_silhouettes(vectors, offsets(12, 2, 7), inputs, weights, n_examples=5)
    assert np.isnan(found[1])
    for latent, chosen in ((0, inputs[:5]), (2, inputs[14:19])):
        embedded = (vectors[chosen].double() * weights[:, latent].double()).numpy()
        assert found[latent] == pytest.approx(silhouette(pdist(embedded, "cosine")))
    plain = two_cluster_silhouettes(vectors, offsets(12, 2, 7), inputs, n_examples=5)
    assert plain[0] == pytest.approx(silhouette(pdist(vectors[inputs[:5]].double().numpy(), "cosine")))


def test_a_tiny_spread_is_as_good_as_a_large_one() -> None:
    a, b = torch.tensor([1.0, 0.0], dtype=torch.float64), torch.tensor([0.0, 1.0], dtype=torch.float64)

    def fan(width: float) -> float:
        vectors = torch.stack([a + width * angle * b for angle in (0.0, 0.1, 0.2, 5.0, 5.1, 5.3)])
        return float(two_cluster_silhouettes(vectors, offsets(6), torch.arange(6), n_examples=6)[0])

    assert fan(1e-6) == pytest.approx(fan(1e-4), abs=1e-3)
    assert fan(1e-6) > 0.9


def test_what_does_not_fit_is_refused() -> None:
    vectors, inputs = torch.rand(9, 4), torch.arange(9)
    with pytest.raises(NbkitError, match="don't fit"):
        two_cluster_silhouettes(vectors, offsets(4, 4), inputs)
    with pytest.raises(NbkitError, match="don't fit"):
        two_cluster_silhouettes(vectors, offsets(5, 4), inputs, torch.rand(4, 3))
    with pytest.raises(NbkitError, match="at least 3"):
        two_cluster_silhouettes(vectors, offsets(5, 4), inputs, n_examples=2)
