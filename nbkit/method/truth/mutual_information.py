"""Adjusted mutual information of two partitions."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from sklearn import config_context
from sklearn.metrics import mutual_info_score
from sklearn.metrics.cluster import expected_mutual_information

EPSILON = float(np.finfo(np.float64).eps)


def adjusted_mutual_information(labels_a: Int[np.ndarray, " n"], labels_b: Int[np.ndarray, " n"]) -> float:
    """How well two partitions agree: 1 for the same, 0 as expected by chance (Vinh et al. 2010, with the mean of both
    entropies). Two partitions of one cluster agree fully, 1; one of them alone says nothing, 0.

    The number of scikit-learn's `adjusted_mutual_info_score` in a fifth of its time, most of which goes to checks.

    Args:
        labels_a, labels_b: (n,) the cluster of each of n examples, any numbers.
    """
    names_a, a = np.unique(labels_a, return_inverse=True)
    names_b, b = np.unique(labels_b, return_inverse=True)
    if 1 in (len(names_a), len(names_b)):
        return float(len(names_a) == len(names_b))
    n, shape = len(a), (len(names_a), len(names_b))
    table = np.bincount(a * shape[1] + b, minlength=shape[0] * shape[1]).reshape(shape)  # the contingency table
    of_a, of_b = table.sum(axis=1), table.sum(axis=0)
    by_chance = expected_mutual_information(table, n)
    highest = (_entropy(of_a, n) + _entropy(of_b, n)) / 2
    with config_context(skip_parameter_validation=True):
        shared = float(mutual_info_score(None, None, contingency=table))
    return _away_from_zero(shared - by_chance) / _away_from_zero(highest - by_chance)


def _entropy(sizes: Int[np.ndarray, " k"], n: int) -> Float[np.ndarray, ""]:
    entropy: Float[np.ndarray, ""] = -((sizes / n) * (np.log(sizes) - np.log(n))).sum()
    return entropy


def _away_from_zero(value: float) -> float:
    """Where both partitions are of single examples, numerator and denominator are zero but for rounding."""
    return min(value, -EPSILON) if value < 0 else max(value, EPSILON)
