"""Areas under ROC curves: how well values tell what is inside a group from what is not."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata


def auc_of(values: Float[np.ndarray, "n m"], inside: Bool[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
    """Of each column the probability that one inside has a higher value than one outside, a tie counting one half."""
    n, k = len(inside), int(inside.sum())
    ranks = rankdata(values, axis=0)[inside].sum(axis=0)
    auc: Float[np.ndarray, " m"] = (ranks - k * (k + 1) / 2) / (k * (n - k))
    return auc
