"""Which cluster something is of that was not clustered."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def nearest_clusters(
    distances: Float[np.ndarray, "tested clustered"], labels: Int[np.ndarray, " clustered"]
) -> Int[np.ndarray, " tested"]:
    """For each context the cluster of the smallest mean distance; of equals the first."""
    member = labels[:, None] == np.arange(labels.max() + 1)
    nearest: Int[np.ndarray, " tested"] = (distances @ member / member.sum(axis=0)).argmin(axis=1)
    return nearest
