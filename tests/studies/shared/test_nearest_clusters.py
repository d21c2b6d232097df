"""Which cluster something is of that was not clustered, one by one."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from nbkit.studies.shared.nearest_clusters import nearest_clusters


def test_the_nearest_cluster_is_that_of_the_smallest_mean_distance() -> None:
    rng = np.random.default_rng(5)
    distances, labels = rng.random((9, 14)), rng.permutation(np.arange(14) % 4)
    nearest = [np.argmin([row[labels == cluster].mean() for cluster in range(4)]) for row in distances]
    np.testing.assert_array_equal(nearest_clusters(distances, labels), nearest)


def test_with_cosine_distances_it_is_that_of_the_largest_mean_cosine() -> None:
    rng = np.random.default_rng(0)
    clustered, labels, others = rng.normal(size=(12, 4)), np.arange(12) % 3, 9 * rng.normal(size=(20, 4))

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    slow = [
        int(np.argmax([np.mean([cosine(h, each) for each in clustered[labels == label]]) for label in range(3)]))
        for h in others
    ]
    assert nearest_clusters(cdist(others, clustered, "cosine"), labels).tolist() == slow and len(set(slow)) == 3
