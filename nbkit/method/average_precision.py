"""Average precision, the area under the curve of precision and recall, where scores tie."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from nbkit.errors import NbkitError


def average_precision(truth: Bool[np.ndarray, " n"], scores: Float[np.ndarray, " n"]) -> float:
    """The mean, over the true ones, of the share of true ones among all that are ranked as high or higher.

    Of equal scores it is the expectation over all orders (McSherry and Najork 2008), so equal scores throughout give
    what an order by chance gives. That is more than the share of true ones, the more so the fewer there are: a true one
    among two has 0.75, not 0.5.

    Args:
        truth: (n,) which are true.
        scores: (n,) the higher the earlier.

    Returns:
        In (0, 1], 1 if all true ones come first; NaN if none is true.

    Raises:
        NbkitError: the lengths differ, or a score is NaN.
    """
    if truth.shape != scores.shape or truth.ndim != 1:
        raise NbkitError(f"Truth of shape {truth.shape} and scores of shape {scores.shape}: give (n,) of both.")
    if np.isnan(scores).any():
        raise NbkitError(f"Score {int(np.isnan(scores).argmax())} is NaN: give one that can be ranked.")
    if not truth.any():
        return float("nan")
    _, level, size = np.unique(-scores, return_inverse=True, return_counts=True)
    true = np.bincount(level, truth)  # (levels,)
    before = np.cumsum(size) - size
    true_before = np.cumsum(true) - true
    of = np.repeat(np.arange(len(size)), size)  # the level at each rank
    rank = np.arange(len(truth))
    # at each rank: the chance of a true one, and how many are expected up to it if there is one
    others = (rank - before[of]) * (true[of] - 1) / np.maximum(size[of] - 1, 1)
    precision = (true_before[of] + 1 + others) / (rank + 1)
    return float((true[of] / size[of] * precision).sum() / true.sum())
