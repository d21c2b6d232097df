"""The distance at which an explorer cuts a tree."""

from __future__ import annotations

from typing import Any

import traitlets

from nbkit.errors import NbkitError


class Threshold(traitlets.Float[float, float]):
    """A distance in (0, 1]; anything else is refused with a sentence."""

    def validate(self, obj: Any, value: Any) -> float:
        """The value, if it is one.

        Raises:
            NbkitError: it is outside (0, 1].
        """
        distance = float(super().validate(obj, value))
        if not 0.0 < distance <= 1.0:
            raise NbkitError(f"A threshold of {distance} is no distance to cut at: choose one in (0, 1].")
        return distance
