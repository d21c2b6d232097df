"""Rules from embeddings to clusters: well apart they all find what is planted, whatever the scale and order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float, Int
from sklearn.metrics import silhouette_score

from nbkit.method.clusters import feature_clusters
from nbkit.method.metrics import adjusted_rand_index
from nbkit.method.truth.rules import RULES, Cluster, hdbscan_rule, kmeans_rule, paper_rule, scc_rule, silhouette_rule

each_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


def planted(seed: int, k: int = 4, each: int = 15) -> tuple[Float[np.ndarray, "n d"], Int[np.ndarray, " n"]]:
    """k directions at right angles, with little noise and lengths of their own."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(k), each))
    x = np.eye(12)[labels] + 0.05 * rng.normal(size=(k * each, 12))
    return x * rng.uniform(0.5, 2, size=(k * each, 1)), labels


@each_rule
def test_behaviors_that_lie_apart_are_found(rule: Cluster) -> None:
    for seed in range(3):
        x, labels = planted(seed)
        assert adjusted_rand_index(labels, rule(x)) == 1


@each_rule
def test_one_behavior_is_one_cluster_unless_the_rule_cannot_find_one(rule: Cluster) -> None:
    x = planted(0, k=1, each=40)[0]
    found = rule(x)
    if rule is silhouette_rule:
        assert len(np.unique(found)) == 2
    elif rule is hdbscan_rule:
        assert np.bincount(found).max() > 20  # with strays
    else:
        assert len(np.unique(found)) == 1


@each_rule
@settings(max_examples=6, deadline=None)
@given(n=st.integers(1, 12), seed=st.integers(0, 99))
def test_few_examples_get_a_cluster_each(rule: Cluster, n: int, seed: int) -> None:
    found = rule(np.random.default_rng(seed).normal(size=(n, 5)))
    assert found.shape == (n,)
    assert np.issubdtype(found.dtype, np.integer) and (found >= 0).all()


@each_rule
def test_lengths_mean_nothing(rule: Cluster) -> None:
    x, _ = planted(5)
    x += 0.3 * np.random.default_rng(1).normal(size=x.shape)
    assert adjusted_rand_index(rule(x), rule(x * np.linspace(1, 9, len(x))[:, None])) == 1


def test_the_papers_rule_and_scc_are_those_of_feature_clusters() -> None:
    x = np.random.default_rng(0).normal(size=(40, 4))
    for rule, method in ((paper_rule, "average"), (scc_rule, "scc")):
        np.testing.assert_array_equal(rule(x), feature_clusters(x, 0.5, method).labels)


def test_the_silhouette_of_the_chosen_cut_is_the_highest() -> None:
    x = np.random.default_rng(3).normal(size=(30, 3))
    tree = feature_clusters(x)
    cuts = [tree.cut_to(k).labels for k in range(2, 16)]
    silhouettes = [silhouette_score(tree.distances, labels, metric="precomputed") for labels in cuts]
    np.testing.assert_array_equal(silhouette_rule(x), cuts[int(np.argmax(silhouettes))])


def test_examples_that_are_all_equal_are_one_cluster() -> None:
    rules: tuple[Callable[[Float[np.ndarray, "n d"]], Int[np.ndarray, " n"]], ...] = (paper_rule, scc_rule, kmeans_rule)
    for rule in rules:
        assert len(np.unique(rule(np.ones((20, 3))))) == 1
