"""How well every cut of a tree agrees with known labels, in one pass over its merges."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def rand_indices(linkage: Float[np.ndarray, "n-1 4"], labels: Int[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The adjusted Rand index (Hubert and Arabie 1985) of the clusters after each number of a tree's merges.

    A merge of two clusters adds pairs of examples to those that are together: so many in all, and of one label. The
    sums of these are all that the index takes, so that no cut needs to be made.

    Args:
        linkage: the tree as SciPy writes it.
        labels: (n,) of the examples, any numbers.

    Returns:
        (n,) the index after 0 to n - 1 merges, each that of `adjusted_rand_index`.
    """
    n = len(labels)
    names, label = np.unique(labels, return_inverse=True)
    held = np.zeros((2 * n - 1, len(names)), dtype=np.int64)  # how many examples of each label a node holds
    held[np.arange(n), label] = 1
    left, right = linkage[:, :2].astype(np.intp).T
    for node, (a, b) in enumerate(zip(left.tolist(), right.tolist(), strict=True), start=n):
        np.add(held[a], held[b], out=held[node])
    sizes = held.sum(axis=1)
    together, alike = (
        np.cumsum(2.0 * np.append(0, each)) for each in (sizes[left] * sizes[right], (held[left] * held[right]).sum(1))
    )  # ordered pairs
    of_label = float((held[-1] * (held[-1] - 1)).sum())
    expected = of_label * together / max(n * (n - 1), 1)
    room = 0.5 * (of_label + together) - expected
    return np.divide(alike - expected, room, out=np.ones(n), where=room != 0)
