"""A number before and after, as the pages write it: `from 17.4 to 3.6`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """A number of one model and of another; `.1f` gives `from 17.4 to 3.6`."""

    before: float
    after: float

    @property
    def times(self) -> float:
        """The second as a multiple of the first."""
        return self.after / self.before

    def __format__(self, spec: str) -> str:
        return f"from {self.before:{spec}} to {self.after:{spec}}"
