"""Made-up results of the experiments on dead latents: every figure is known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from nbkit.studies.dead_latents.experiment import DeadLatents
from nbkit.studies.dead_latents.variants import QUESTIONS

DEAD = {
    "standard": 30.0,
    "ne": 10.0,
    "ne_frequent": 29.0,
    "ne_rare": 12.0,
    "ne_silent": 20.0,
    "denser": 32.0,
    "ne_sparser": 11.0,
    "lengthened": 18.0,
    "ne_shortened": 24.0,
    "fixed": 15.0,
    "ne_fixed": 10.0,
    "shuffled": 9.0,
    "reversed": 27.0,
    "level": 12.0,
    "reversed_level": 13.0,
    "noise": 17.0,
    "denominator": 26.0,
    "early_decay": 28.0,
    "active_decay": 14.0,
    "adamw": 16.0,
    "ne_adamw": 15.0,
    "resampled": 31.0,
    "auxiliary": 29.0,
    "adamw_resampled": 25.0,
    "adamw_resampled_long": 4.0,
    "adamw_auxiliary": 12.0,
}
STEPS = (50, 200, 469)


def example_dead(
    dead: Mapping[str, float] | None = None,
    questions: tuple[str, ...] = tuple(QUESTIONS),
    n_seeds: int = 4,
    noise: float = 0.1,
    l0: Mapping[str, float] | None = None,
) -> DeadLatents:
    """Results as `dead_latents` gives them; dead shares as in `DEAD`, but for `dead`.

    Half of the dead at step 50, and 8% at step 200. L0 is 2% (4% if NE, 8% if denser), MSE 0.3 (0.5 if NE).
    """
    rng = np.random.default_rng(0)
    rows = []
    for question in questions:
        for name, variant in QUESTIONS[question].variants.items():
            for seed in range(n_seeds):
                end = {**DEAD, **(dead or {})}[name] + noise * rng.normal()
                ne = variant.config.ne > 0
                for step in STEPS if variant.counted else STEPS[1:]:
                    row = {"variant": name, "seed": seed, "step": step, "dead": {50: end / 2, 200: 8.0}.get(step, end)}
                    row |= {"length_doomed": 0.2 if step < 469 else 0.02, "length_spared": 0.4}
                    if step == STEPS[-1]:
                        row |= {
                            "mse": 0.5 if ne else 0.3,
                            "l0": {"denser": 8.0, **(l0 or {})}.get(name, 4.0 if ne else 2.0),
                        }
                        row |= {"rare": 94.0, "dead_at_start": 8.0, "fired": 20.0 if "adamw" in name else 99.0}
                        row |= {"came_back": 90.0 if ne else 2.0, "died_later": 4.0 if ne else 24.0}
                        row |= {"resampled_alive": 3.0 if "resampled" in name else np.nan}
                    rows.append(row)
    return DeadLatents(pd.DataFrame(rows))
