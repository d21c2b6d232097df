"""Means over seeds with their 95% intervals, as the pages write them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from nbkit.method.intervals import mean_interval

Values = Float[np.ndarray, " n_seeds"]


def interval(values: Values, digits: int = 1) -> str:
    """A mean with its interval, for the eye."""
    rounded = (round(value, digits) + 0.0 for value in mean_interval(values))  # no minus before a zero
    mean, low, high = (f"{value:.{digits}f}".replace("-", "−") for value in rounded)
    return f"{mean} ({low} to {high})"


def percent(values: Values, digits: int = 1) -> str:
    """The same, of percentages."""
    return interval(values, digits).replace(" ", "% ", 1)


def of_latents(values: Values) -> str:
    """A share of latents: its interval ends at 0 and at 100."""
    mean, low, high = mean_interval(values)
    return f"{mean:.1f}% ({max(low, 0):.1f} to {min(high, 100):.1f})"
