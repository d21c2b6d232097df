"""Numbers with their uncertainty, as the pages write them: `f"{dead:.1f%}"` gives `22.9% (21.6 to 24.1)`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pandas as pd
from jaxtyping import Float

from nbkit.method.intervals import grouped_mean, mean_interval, summarize

UNDEFINED = "–"
"""What stands for a number that is not there."""


def signed(value: float, digits: int) -> str:
    """A number with its sign, a real minus among them; a rounded zero has none."""
    return _minus(f"{value:+.{digits}f}") if round(value, digits) else f"{0:.{digits}f}"


def plain(value: float, digits: int, grouped: str = "") -> str:
    """A number with a real minus below zero, thousands grouped by a sign if one is given."""
    return _minus(f"{round(value, digits) + 0.0:{grouped}.{digits}f}")  # no minus before a zero


@dataclass(frozen=True)
class Estimate:
    """A number with the ends of its 95% interval; NaN where there is none.

    `format` takes a precision and, for a number in percent, its sign: `.1f` gives `22.9 (21.6 to 24.1)`, `.1f%` gives
    `22.9% (21.6 to 24.1)`; with a plus in front every number has its sign: `+22.9 (+21.6 to +24.1)`. Without ends, or
    where these read alike, the number stands by itself; a number that is not there is a dash.
    """

    value: float
    low: float
    high: float

    @classmethod
    def over_seeds(cls, values: Float[np.ndarray, " n_seeds"]) -> Self:
        """The mean over seeds with Student's interval, which a single seed has not."""
        return cls(*mean_interval(values)) if len(values) else cls(np.nan, np.nan, np.nan)

    @classmethod
    def over_units(cls, values: pd.Series, seed: int) -> Self:
        """The mean over neurons, or other units, with its 95% bootstrap interval."""
        row = summarize(values, seed).iloc[0]
        return cls(float(row["value"]), float(row["low"]), float(row["high"]))

    @classmethod
    def over_groups(cls, values: pd.Series) -> Self:
        """The mean over units with its 95% interval over groups, the level `group` of the index, see `grouped_mean`."""
        return cls(*grouped_mean(values.to_numpy(), values.index.get_level_values("group").to_numpy()))

    def within(self, lowest: float, highest: float) -> Estimate:
        """This estimate of a number that can't lie outside two bounds."""
        return Estimate(self.value, max(self.low, lowest), min(self.high, highest))

    @property
    def known(self) -> bool:
        """Whether the number is there."""
        return bool(np.isfinite(self.value))

    @property
    def sign(self) -> Literal[-1, 0, 1]:
        """1 if the whole interval lies above zero, -1 if it lies below; 0 if it holds zero or there is none."""
        return 1 if self.low > 0 else -1 if self.high < 0 else 0

    def __format__(self, spec: str) -> str:
        digits, unit = _parsed(spec)
        if not self.known:
            return UNDEFINED
        written = signed if spec.startswith("+") else plain
        if not np.isfinite(self.low):
            return f"{written(self.value, digits)}{unit}"
        value, low, high = (written(number, digits) for number in (self.value, self.low, self.high))
        return f"{value}{unit} ({low} to {high})" if low != high else f"{value}{unit}"


@dataclass(frozen=True)
class Difference(Estimate):
    """An estimate of one thing minus another, which `format` puts into words that fit between the two:

    `higher by 0.012 (95% interval +0.010 to +0.014) than`, `not measurably different (+0.002, 95% interval −0.001 to
    +0.005) from`, or `not comparable with`. With a plus in front of the precision it stays a number.
    """

    @classmethod
    def of_means(cls, table: pd.DataFrame, metric: str) -> Difference:
        """The mean difference of a metric, a row of `paired_differences`."""
        row = table[(table["metric"] == metric) & (table["statistic"] == "mean")].iloc[0]
        return cls(float(row["value"]), float(row["low"]), float(row["high"]))

    def __format__(self, spec: str) -> str:
        if spec.startswith("+"):
            return super().__format__(spec)
        digits, unit = _parsed(spec)
        if not self.known:
            return "not comparable with"
        if not np.isfinite(self.low):
            return f"different by {signed(self.value, digits)}{unit} from"
        interval = f"95% interval {signed(self.low, digits)} to {signed(self.high, digits)}"
        if not self.sign:
            return f"not measurably different ({signed(self.value, digits)}{unit}, {interval}) from"
        return f"{'higher' if self.sign > 0 else 'lower'} by {abs(self.value):.{digits}f}{unit} ({interval}) than"


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over seeds; `.2f` gives `93.99 ± 0.11`, `.2f%` the same with a sign."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, values: Float[np.ndarray, " n_seeds"] | pd.Series) -> Spread:
        """Of a figure over seeds; a single one has no deviation."""
        array = np.asarray(values, dtype=np.float64)
        return cls(float(array.mean()), float(array.std(ddof=1)) if len(array) > 1 else np.nan)

    def __format__(self, spec: str) -> str:
        digits, unit = _parsed(spec)
        if not np.isfinite(self.mean):
            return UNDEFINED
        mean = plain(self.mean, digits, ",")
        if not np.isfinite(self.deviation) or not round(self.deviation, digits):
            return f"{mean}{unit}"
        return f"{mean} ± {plain(self.deviation, digits, ',')}{unit}"


def _parsed(spec: str) -> tuple[int, str]:
    """Decimals and unit of a format such as `.1f` or `.1f%`."""
    unit = "%" if spec.endswith("%") else ""
    return int(spec.removesuffix("%").lstrip("+.").removesuffix("f") or 2), unit


def _minus(text: str) -> str:
    return text.replace("-", "−")
