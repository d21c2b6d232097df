"""Feature clusters: known answers, SciPy and scikit-learn as oracles, invariances, and what is refused."""

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform
from sklearn.cluster import AgglomerativeClustering

from nbkit.errors import NbkitError
from nbkit.method.clusters import LINKAGE_METHODS, FeatureClusters, chance_cut, cosine_distances, feature_clusters
from nbkit.method.metrics import adjusted_rand_index

# Four directions in a plane: 0 and 10 degrees, 90 and 100 degrees.
FAN = np.array([[np.cos(a), np.sin(a)] for a in np.radians([0.0, 10.0, 90.0, 100.0])])


def random_embeddings(seed: int, cases: int, largest: int = 60) -> Iterator[np.ndarray]:
    """Sets of embeddings from one tight bundle to pure noise, of 2 to `largest` examples."""
    rng = np.random.default_rng(seed)
    for _ in range(cases):
        n, d = int(rng.integers(2, largest + 1)), int(rng.integers(2, 24))
        centers = rng.normal(size=(int(rng.integers(1, 7)), d))
        yield centers[rng.integers(len(centers), size=n)] + rng.normal(size=(n, d)) * rng.uniform(0.05, 2.0)


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a[:, None] == a, b[:, None] == b)


def test_distances_known_answer() -> None:
    distances = cosine_distances(np.array([[1.0, 0.0], [0.0, 3.0], [-2.0, 0.0], [5.0, 5.0]]))
    half = 1 - np.sqrt(0.5)
    expected = [[0, 1, 2, half], [1, 0, 1, half], [2, 1, 0, 2 - half], [half, half, 2 - half, 0]]
    np.testing.assert_allclose(distances, expected, atol=1e-15)


def test_distances_equal_equation_3_and_scipy() -> None:
    for x in random_embeddings(0, 100):
        distances = cosine_distances(x)
        assert distances.dtype == np.float64
        assert not distances.diagonal().any()
        np.testing.assert_allclose(distances, squareform(pdist(x, "cosine")), atol=1e-12)
        a, b = x[0], x[-1]
        assert distances[0, -1] == pytest.approx(1 - a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), abs=1e-12)


def test_distances_are_exactly_symmetric_and_in_range_for_any_memory_layout() -> None:
    rng = np.random.default_rng(13)
    for n in range(2, 30):
        wide = rng.normal(size=(2 * n, 50))
        copies = np.concatenate([wide[:n], -wide[:n], wide[:n]])  # rounding would lead beyond 0 and 2
        for x in (wide[::2, ::2], wide[::-1, ::-1], np.asfortranarray(wide), copies):
            distances = cosine_distances(x)
            assert np.array_equal(distances, distances.T)
            assert distances.min() == 0.0
            assert distances.max() <= 2.0


def test_distances_neither_overflow_nor_underflow() -> None:
    tiny_and_huge = np.array([1e-300, 1e300, 1.0, 1e-170])[:, None] * FAN
    np.testing.assert_allclose(cosine_distances(tiny_and_huge), cosine_distances(FAN), atol=1e-15)


def test_clusters_known_answer() -> None:
    clusters = feature_clusters(FAN, 0.5)
    within = 1 - np.cos(np.radians(10))
    across = 1 - np.mean(np.cos(np.radians([90, 100, 80, 90])))
    assert clusters.labels.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(clusters.linkage[:, 2], [within, within, across], atol=1e-15)
    assert clusters.medoids.tolist() == [0, 2]
    assert clusters.sizes.tolist() == [2, 2]
    assert clusters.cut(1.0).labels.tolist() == [0, 0, 0, 0]
    assert clusters.cut(0.01).labels.tolist() == [0, 1, 2, 3]


def test_labels_are_ordered_by_size_and_then_by_first_example() -> None:
    directions = np.eye(4)
    clusters = feature_clusters(directions[[3, 0, 1, 0, 2, 1, 3]])
    assert clusters.labels.tolist() == [0, 1, 2, 1, 3, 2, 0]
    for x in random_embeddings(1, 200):
        clusters = feature_clusters(x)
        first = [int(np.flatnonzero(clusters.labels == label)[0]) for label in range(clusters.n_clusters)]
        ranks = list(zip((-clusters.sizes).tolist(), first, strict=True))
        assert ranks == sorted(ranks)


@pytest.mark.parametrize("method", ["average", "complete", "single", "weighted"])
def test_partitions_equal_scipys(method: str) -> None:
    rng = np.random.default_rng(2)
    for x in random_embeddings(3, 600):
        threshold = float(rng.uniform(0.01, 1.0))
        clusters = feature_clusters(x, threshold, method)
        tree = linkage(pdist(x, "cosine"), cast(Any, method))
        np.testing.assert_allclose(clusters.linkage[:, 2], tree[:, 2], atol=1e-12)
        assert same_partition(clusters.labels, fcluster(tree, threshold, "distance"))


@pytest.mark.parametrize("method", ["average", "complete", "single"])
def test_partitions_equal_scikit_learns(method: str) -> None:
    rng = np.random.default_rng(4)
    for x in random_embeddings(5, 300, largest=40):
        threshold = float(rng.uniform(0.01, 1.0))
        oracle = AgglomerativeClustering(
            n_clusters=None, metric="precomputed", linkage=method, distance_threshold=threshold
        ).fit(cosine_distances(x))
        assert same_partition(feature_clusters(x, threshold, method).labels, oracle.labels_)


def test_a_branch_of_the_tree_is_the_mean_distance_between_its_two_sides() -> None:
    for x in random_embeddings(6, 100, largest=25):
        clusters = feature_clusters(x)
        members = [[i] for i in range(len(x))]
        for left, right, height, size in clusters.linkage:
            a, b = members[int(left)], members[int(right)]
            assert height == pytest.approx(clusters.distances[np.ix_(a, b)].mean(), abs=1e-12)
            assert size == len(a) + len(b)
            members.append(a + b)


def test_cut_reuses_the_tree_and_equals_clustering_again() -> None:
    rng = np.random.default_rng(7)
    for x in random_embeddings(8, 100):
        clusters = feature_clusters(x)
        threshold = float(rng.uniform(0.01, 1.0))
        cut = clusters.cut(threshold)
        assert cut.linkage is clusters.linkage
        assert cut.threshold == threshold
        assert np.array_equal(cut.labels, feature_clusters(x, threshold).labels)


def test_a_merge_at_exactly_the_threshold_is_made() -> None:
    right_angle = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert feature_clusters(right_angle, 1.0).n_clusters == feature_clusters(right_angle).cut(1.0).n_clusters == 1
    assert feature_clusters(right_angle, np.nextafter(1.0, 0.0)).n_clusters == 2


def test_cut_to_gives_the_number_asked_for_and_scipys_partition() -> None:
    for x in random_embeddings(9, 100, largest=30):
        clusters = feature_clusters(x)
        for k in range(1, len(x) + 1):
            cut = clusters.cut_to(k)
            assert cut.n_clusters == k
            assert same_partition(cut.labels, fcluster(clusters.linkage, k, "maxclust"))
            if k < len(x):
                assert cut.threshold == clusters.linkage[len(x) - k - 1, 2]
    assert feature_clusters(np.ones((5, 3))).cut_to(3).n_clusters == 3  # though all heights are equal
    assert feature_clusters(FAN).cut_to(4).threshold == 0.0


def test_medoids_have_the_smallest_mean_distance_to_their_cluster() -> None:
    for x in random_embeddings(10, 200):
        clusters = feature_clusters(x)
        for label, medoid in enumerate(clusters.medoids):
            members = np.flatnonzero(clusters.labels == label)
            means = [clusters.distances[m, members].mean() for m in members]
            assert medoid in members
            assert clusters.distances[medoid, members].mean() == pytest.approx(min(means), abs=1e-15)
    assert feature_clusters(np.ones((5, 3))).medoids.tolist() == [0]  # of equals, the first


def test_order_scale_and_dtype_change_nothing() -> None:
    rng = np.random.default_rng(11)
    for x in random_embeddings(12, 200):
        clusters = feature_clusters(x)
        order = rng.permutation(len(x))
        factors = rng.uniform(1e-3, 1e3, size=(len(x), 1))
        assert same_partition(feature_clusters(x[order]).labels, clusters.labels[order])
        assert np.array_equal(feature_clusters(x * factors).labels, clusters.labels)
        assert np.array_equal(feature_clusters(x * 2.0 ** rng.integers(-9, 9)).linkage, clusters.linkage)
        single = x.astype(np.float32)
        assert np.array_equal(feature_clusters(single).linkage, feature_clusters(single.astype(np.float64)).linkage)
        assert adjusted_rand_index(feature_clusters(single).labels, clusters.labels) == 1.0


@pytest.mark.parametrize("method", LINKAGE_METHODS)
def test_one_two_and_duplicate_examples(method: str) -> None:
    one = feature_clusters(FAN[:1], 0.5, method)
    assert (one.labels.tolist(), one.medoids.tolist(), one.sizes.tolist()) == ([0], [0], [1])
    assert one.linkage.shape == (0, 4)
    assert one.cut(1.0).labels.tolist() == [0]

    two = feature_clusters(FAN[[0, 2]], 0.5, method)
    assert (two.labels.tolist(), two.medoids.tolist()) == ([0, 1], [0, 1])
    assert two.linkage.shape == (1, 4)

    same = feature_clusters(np.repeat(FAN[1:2], 7, axis=0), 0.5, method)
    assert (same.labels.tolist(), same.medoids.tolist()) == ([0] * 7, [0])
    np.testing.assert_allclose(same.distances, 0.0, atol=1e-15)


def test_bad_embeddings_are_refused_with_the_row() -> None:
    for bad in (np.nan, np.inf, -np.inf):
        x = np.ones((5, 3))
        x[3, 1] = x[4, 0] = bad
        with pytest.raises(NbkitError, match=r"Row 3 .*NaN or infinity"):
            feature_clusters(x)
    x = np.ones((5, 3))
    x[2] = x[4] = 0.0
    with pytest.raises(NbkitError, match=r"Row 2 .*all zeros"):
        cosine_distances(x)
    for shape in ((0, 3), (3, 0), (3,), (2, 2, 2)):
        with pytest.raises(NbkitError, match="at least one example"):
            cosine_distances(np.ones(shape))


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.0001, np.nan, np.inf])
def test_thresholds_outside_0_to_1_are_refused(threshold: float) -> None:
    with pytest.raises(NbkitError, match=r"\(0, 1\]"):
        feature_clusters(FAN, threshold)
    with pytest.raises(NbkitError, match=r"\(0, 1\]"):
        feature_clusters(FAN).cut(threshold)


@pytest.mark.parametrize("method", ["ward", "centroid", "median", "Average", ""])
def test_linkages_that_need_euclidean_distances_are_refused(method: str) -> None:
    with pytest.raises(NbkitError, match="Euclidean"):
        feature_clusters(FAN, 0.5, method)


@pytest.mark.parametrize("k", [0, -1, 5])
def test_impossible_numbers_of_clusters_are_refused(k: int) -> None:
    with pytest.raises(NbkitError, match="1 to 4"):
        feature_clusters(FAN).cut_to(k)


def test_clusters_are_frozen() -> None:
    clusters: FeatureClusters = feature_clusters(FAN)
    with pytest.raises(AttributeError):
        clusters.threshold = 0.1  # type: ignore[misc]


def test_chance_cut_is_one_deviation_below_the_mean_distance() -> None:
    for x in random_embeddings(3, 30):
        if len(x) < 3:
            continue
        apart = [distance for i in range(len(x)) for distance in cosine_distances(x)[i, :i]]
        assert chance_cut(x) == pytest.approx(np.clip(np.mean(apart) - np.std(apart), 0.01, 1), abs=0.0051)
        assert chance_cut(np.vstack([x, np.zeros((2, x.shape[1]))])) == chance_cut(x)  # without a direction
    assert chance_cut(FAN[:2]) == 1 and chance_cut(np.zeros((9, 2))) == 1
    assert chance_cut(np.ones((9, 2))) == 0.01
    assert chance_cut(-np.eye(3) + 1 / 3) == 1  # all pairs are farther apart than a right angle


def test_two_behaviors_that_half_a_distance_takes_apart_are_told_by_chance() -> None:
    rng = np.random.default_rng(0)
    unrelated = rng.normal(size=(300, 64))
    truth = np.repeat([0, 1], 20)
    read = rng.normal(size=(2, 64))[truth] + 1.2 * rng.normal(size=(40, 64))
    assert feature_clusters(read, 0.5).n_clusters > 4
    assert same_partition(feature_clusters(read, chance_cut(unrelated)).labels, truth)
