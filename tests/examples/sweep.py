"""A made-up sweep: curves that are known exactly, with the neuron-embedding loss a known step away from them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from nbkit.sae.sweep_columns import SWEEP_MEASURES

SPARSITY = {"relu": (1e-4, 2e-4, 4e-4, 8e-4), "topk": (4, 8, 16, 32)}


def example_sweep(steps: Mapping[str, float] | None = None, n_seeds: int = 4, noise: float = 0.01) -> pd.DataFrame:
    """A table as `nbkit.studies.trade_off.experiment.sweep` makes it, for ReLU and TopK.

    In standard autoencoders every measure is 0.5 + 0.1 * log(x) / log(2) at x = L0 = 10 MSE, plus noise of the seed.
    With the loss a measure is larger by its step (0.2 where none is given), or by twice that with the larger lambda 2.
    """
    rng = np.random.default_rng(0)
    rows = []
    for activation, sparsities in SPARSITY.items():
        for seed in range(n_seeds):
            for ne in (0.0, 0.003, 0.01):
                for place, sparsity in enumerate(sparsities if ne == 0 else sparsities[1:3]):
                    x = 2.0**place * (1 if ne == 0 else 1.3)
                    level = {0.0: 0, 0.003: 1, 0.01: 2}[ne]
                    row = {"activation": activation, "sparsity": float(sparsity), "ne": ne, "seed": seed}
                    for name in SWEEP_MEASURES:
                        step = (steps or {}).get(name, 0.2)
                        row[name] = 0.5 + 0.1 * np.log2(x) + step * level + noise * rng.normal() * (level > 0)
                    rows.append({**row, "l0": x, "mse": x / 10})
    return pd.DataFrame(rows)
