"""Which activations of a unit count, and how much each.

GELU, SiLU and gated units go below zero too, and mean something there. The *strength* of an activation says how much it
counts: itself where those above zero are looked for, minus it where those below are, its absolute value for both. What
has no strength above zero counts for nothing.
"""

from __future__ import annotations

from typing import Literal, TypeVar, get_args

import numpy as np
from torch import Tensor

Sign = Literal["positive", "negative", "both"]
SIGNS: tuple[Sign, ...] = get_args(Sign)

Activations = TypeVar("Activations", np.ndarray, Tensor, float)


def strength(activation: Activations, sign: Sign) -> Activations:
    """How much activations count."""
    if sign == "positive":
        return activation
    return -activation if sign == "negative" else abs(activation)
