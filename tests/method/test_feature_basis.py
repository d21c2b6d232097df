"""Equation 1 in a basis of features, by hand and against loops; the coordinates as features give the paper's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbkit.errors import NbkitError
from nbkit.method.clusters import cosine_distances
from nbkit.method.embeddings import neuron_embeddings
from nbkit.method.feature_basis import carried, feature_contributions, feature_embeddings, side_by_side


@given(seed=st.integers(0, 10_000))
def test_both_against_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, f, d = rng.integers(1, 6, size=3)
    z, directions, w = rng.random((n, f)) * (rng.random((n, f)) < 0.7), rng.normal(size=(f, d)), rng.normal(size=d)
    contributions, embeddings = np.zeros((n, f)), np.zeros((n, d))
    for i in range(n):
        for j in range(f):
            contributions[i, j] = z[i, j] * sum(directions[j, c] * w[c] for c in range(d))
            if contributions[i, j] > 0:
                for c in range(d):
                    embeddings[i, c] += contributions[i, j] * directions[j, c]
    np.testing.assert_allclose(feature_contributions(z, directions, w), contributions, atol=1e-12)
    np.testing.assert_allclose(feature_embeddings(z, directions, w), embeddings, atol=1e-12)
    # the sum is the pre-activation of what the features give back
    np.testing.assert_allclose(contributions.sum(axis=1), z @ directions @ w, atol=1e-10)


def test_with_the_coordinates_as_features_it_is_equation_1() -> None:
    rng = np.random.default_rng(0)
    h, w = rng.normal(size=(20, 7)), rng.normal(size=7)
    np.testing.assert_array_equal(feature_contributions(h, np.eye(7), w), neuron_embeddings(h, w))
    pushing = np.clip(neuron_embeddings(h, w), 0, None)
    np.testing.assert_allclose(feature_embeddings(h, np.eye(7), w), pushing)


def test_a_feature_that_is_split_in_two_changes_contributions_and_not_embeddings() -> None:
    z, directions, w = np.array([[1.0, 0, 2], [0, 1, 2]]), np.array([[1.0, 0], [1, 0], [0, 1]]), np.array([3.0, 1])
    embedded = feature_embeddings(z, directions, w)
    np.testing.assert_array_equal(embedded[0], embedded[1])  # one holds the first half, one the second
    contributions = feature_contributions(z, directions, w)
    assert cosine_distances(contributions)[0, 1] > 0.5


def test_what_carries_a_cluster_by_hand() -> None:
    contributions = np.array([[4, 1, 0, -9.0], [4, 1, 0, -9], [4, 0, 1, 0], [4, 0, 1, 0], [4, 0, 3, 0]])
    found = carried(contributions, np.array([1, 1, 0, 0, 0]))
    np.testing.assert_allclose(found.inside, [[12 / 17, 0, 5 / 17, 0], [0.8, 0.2, 0, 0]])
    np.testing.assert_allclose(found.elsewhere, found.inside[::-1])
    assert [found.names(label, 3).tolist() for label in (0, 1)] == [[2], [1, 0]]
    assert found.names(1, 1).tolist() == [1]


def test_a_feature_that_carries_all_clusters_names_none_but_one_alone() -> None:
    contributions = np.array([[3.0, 1, 0], [3, 1, 0], [3, 0, 1], [6, 0, 2]])
    found = carried(contributions, np.array([0, 0, 1, 1]))
    assert [found.names(label, 3).tolist() for label in (0, 1)] == [[1], [2]]
    alone = carried(contributions, np.zeros(4, dtype=int))
    assert alone.names(0, 3).tolist() == [0, 2, 1] and not alone.elsewhere.any()
    nothing = carried(np.zeros((2, 3)), np.array([0, 1]))
    assert nothing.inside.shape == (2, 3) and not nothing.inside.any() and not len(nothing.names(0, 3))


@given(seed=st.integers(0, 10_000), factor=st.floats(1e-3, 1e3))
def test_shares_add_up_to_one_whatever_the_scale_and_the_order(seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    contributions, labels = rng.normal(size=(12, 5)), rng.permutation(np.arange(12) % 3)
    found, order = carried(contributions, labels), rng.permutation(12)
    for part in (found.inside, found.elsewhere):
        np.testing.assert_allclose(part.sum(axis=1), 1)
    again = carried(factor * contributions[order], labels[order])
    np.testing.assert_allclose([again.inside, again.elsewhere], [found.inside, found.elsewhere], atol=1e-12)
    for label in range(3):
        mean = np.clip(contributions[labels == label], 0, None).mean(axis=0)
        np.testing.assert_allclose(found.inside[label], mean / mean.sum())


def test_contributions_and_labels_that_do_not_belong_together_are_told() -> None:
    for contributions, labels in ((np.ones((3, 2)), np.zeros(4, dtype=int)), (np.ones(3), np.zeros(3, dtype=int))):
        with pytest.raises(NbkitError, match=r"Contributions of shape .*, labels .*: give"):
            carried(contributions, labels)
    with pytest.raises(NbkitError, match="The contributions hold NaN or infinity"):
        carried(np.array([[np.nan]]), np.array([0]))


def test_the_cosine_of_two_spaces_side_by_side_is_the_mean_of_theirs() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(9, 3)), 100 * rng.normal(size=(9, 5))
    both = cosine_distances(side_by_side(a, b))
    np.testing.assert_allclose(both, (cosine_distances(a) + cosine_distances(b)) / 2, atol=1e-12)
    np.testing.assert_array_equal(side_by_side(np.zeros((2, 3)), np.ones((2, 1))), [[0, 0, 0, 1], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    ("shapes", "told"),
    [
        (((4,), (3, 2), (2,)), r"Codes of shape \(4,\)"),
        (((4, 3), (2, 2), (2,)), r"directions \(2, 2\)"),
        (((4, 3), (3, 2), (3,)), r"weights \(3,\)"),
        (((4, 3), (3, 2), (1, 2)), r"weights \(1, 2\)"),
    ],
)
def test_shapes_that_do_not_belong_together_are_told(
    shapes: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]], told: str
) -> None:
    for function in (feature_contributions, feature_embeddings):
        with pytest.raises(NbkitError, match=told):
            function(*(np.ones(shape) for shape in shapes))
    with pytest.raises(NbkitError, match="The weights"):
        feature_embeddings(np.ones((4, 3)), np.ones((3, 2)), np.array(["a", "b"]))


@pytest.mark.parametrize("shapes", [((4, 2), (3, 2)), ((4,), (4, 2)), ((4, 2), (4,)), ((4, 2, 1), (4, 2, 1))])
def test_spaces_of_other_examples_are_not_put_side_by_side(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    first, second = (np.ones(shape) for shape in shapes)
    with pytest.raises(NbkitError, match=r"Embeddings of shape .* give"):
        side_by_side(first, second)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_told(bad: float) -> None:
    for place, what in enumerate(("codes", "directions", "weights")):
        given = [np.ones((4, 3)), np.ones((3, 2)), np.ones(2)]
        given[place].flat[1] = bad
        for function in (feature_contributions, feature_embeddings):
            with pytest.raises(NbkitError, match=f"The {what} hold NaN or infinity"):
                function(*given)
    spoiled = np.array([[1.0, bad]])
    for pair, what in (((spoiled, np.ones((1, 1))), "first"), ((np.ones((1, 1)), spoiled), "second")):
        with pytest.raises(NbkitError, match=f"The {what} embeddings hold NaN or infinity"):
            side_by_side(*pair)
