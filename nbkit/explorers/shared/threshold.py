"""The distance at which an explorer cuts a tree."""

from __future__ import annotations

from typing import Any

import traitlets

from nbkit.method.clusters import check_threshold


class Threshold(traitlets.Float[float, float]):
    """A distance in (0, 1]; anything else is refused with a sentence."""

    def validate(self, obj: Any, value: Any) -> float:
        """The value, if it is one.

        Raises:
            NbkitError: it is outside (0, 1].
        """
        distance = float(super().validate(obj, value))
        check_threshold(distance)
        return distance
