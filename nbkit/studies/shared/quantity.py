"""A number that several pages give: its name and its whole value are written with it, for a test that compares them."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Generic, TypeVar

import numpy as np

from nbkit.studies.shared.estimate import Estimate, Spread

T = TypeVar("T")


@dataclass(frozen=True)
class Quantity(Generic[T]):
    """A number under a name that is the same wherever it stands; `format` writes it as an HTML `data` element.

    One name stands for one quantity of one population in the whole book.
    """

    name: str
    value: T

    def marked(self, text: str) -> str:
        """A text of this number, as HTML, with the name and the whole value."""
        return f'<data data-quantity="{escape(self.name)}" value="{escape(self._whole)}">{text}</data>'

    @property
    def _whole(self) -> str:
        match self.value:
            case Estimate(value=number) | Spread(mean=number):
                return repr(float(number))
            case float() | np.floating():
                return repr(float(self.value))  # NumPy's floats have another repr
            case _:
                return str(self.value)

    def __format__(self, spec: str) -> str:
        return self.marked(escape(format(self.value, spec)))

    def __str__(self) -> str:
        return f"{self}"
