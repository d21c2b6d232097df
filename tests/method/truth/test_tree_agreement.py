"""Rand indices of all cuts of a tree: those of the clusters that each cut makes."""

from __future__ import annotations

import numpy as np
import pytest

from nbkit.method.clusters import feature_clusters
from nbkit.method.metrics import adjusted_rand_index
from nbkit.method.truth.tree_agreement import rand_indices


@pytest.mark.parametrize("n", [1, 2, 3, 40])
@pytest.mark.parametrize("names", [[0], [-1, 5], [0, 1, 2, 9]])
def test_they_are_those_of_the_clusters(n: int, names: list[int]) -> None:
    rng = np.random.default_rng(n)
    for _ in range(5):
        labels = rng.choice(names, size=n)
        tree = feature_clusters(rng.normal(size=(n, 3)).round(1) + 0.01)  # with equal heights
        expected = [adjusted_rand_index(labels, tree.cut_to(n - merges).labels) for merges in range(n)]
        np.testing.assert_array_equal(rand_indices(tree.linkage, labels), expected)


def test_by_hand() -> None:
    linkage = np.array([[0, 1, 0.1, 2], [2, 3, 0.2, 2], [4, 5, 0.9, 4]])
    np.testing.assert_allclose(rand_indices(linkage, np.array([0, 0, 1, 1])), [0, 4 / 7, 1, 0])
