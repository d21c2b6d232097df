"""Views of made-up units whose metrics are given; all else of them is empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from nbkit.mnist.view import LatentView

Row = Mapping[str, float]


def view_of(rows: Sequence[Row], unit: Literal["latent", "neuron"] = "latent", name: str = "example SAE") -> LatentView:
    """A view of these metrics; `effect` is the range of a unit's logit effects."""
    defaults = {"n_clusters": 2, "n_examples": 50, "mean_distance": 0.3, "max_distance": 0.9, "max_activation": 1.0}
    metrics = pd.DataFrame([{**defaults, "silhouette": np.nan, "effect": 1.0, **row} for row in rows])
    n = len(metrics)
    effects = np.zeros((n, 10))
    effects[:, 3], effects[:, 8] = 0.25 * metrics["effect"], -0.75 * metrics["effect"]
    empty = [np.empty(0, dtype=int)] * n
    return LatentView(name, metrics, np.zeros((n, 784)), effects, np.zeros((n, 2)), empty, empty, None, unit)
