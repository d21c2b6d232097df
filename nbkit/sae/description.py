"""The JSON file that lies beside weights and says what they are."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from nbkit.errors import NbkitError
from nbkit.sae.hooks import checked_hook

MOST_BYTES = 1 << 24
"""Of a description; the longest are a thousand times smaller."""


class Description:
    """Its fields, taken one by one: what a reader has neither taken nor declared harmless is refused by name."""

    def __init__(self, fields: dict[str, Any], path: Path) -> None:
        self.fields, self.path = fields, path
        self._taken: set[str] = set()

    @classmethod
    def read(cls, path: Path) -> Description:
        """Raises NbkitError if the file is no JSON object."""
        try:
            if path.stat().st_size > MOST_BYTES:
                raise ValueError("it is too large")
            fields = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            reason = str(error).splitlines()[0][:80]
            raise NbkitError(f"{path} doesn't describe a sparse autoencoder (it is no JSON: {reason})") from error
        if not isinstance(fields, dict):
            raise NbkitError(f"{path} doesn't describe a sparse autoencoder (it is no JSON object)")
        return cls(fields, path)

    def inside(self, name: str, default: dict[str, Any] | None = None) -> Description:
        """The object under a name."""
        value = self.take(name, default)
        if not isinstance(value, dict):
            raise self.refusal(name, value, "an object is needed")
        return Description(value, self.path)

    def take(self, name: str, default: Any = None) -> Any:
        """The value under a name as it is; the default if it is missing or null."""
        self._taken.add(name)
        value = self.fields.get(name)
        return default if value is None else value

    def size(self, name: str) -> int | None:
        """A whole number of at least 1; None if it is missing."""
        value = self.take(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise self.refusal(name, value, "a whole number of at least 1 is needed")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self.take(name, default)
        if not isinstance(value, bool):
            raise self.refusal(name, value, "true or false is needed")
        return value

    def choice(self, name: str, default: str, known: Collection[str]) -> str:
        """One of some words."""
        value = self.take(name, default)
        if not isinstance(value, str) or value not in known:
            raise self.refusal(name, value, f"nbkit opens {', '.join(known)}")
        return value

    def hook(self, name: str) -> str | None:
        """The name of a hook point; None if it is missing or empty."""
        value = self.take(name, "")
        return None if value == "" else checked_hook(f"{self.path}: {name}", value)

    def must_be(self, name: str, found: int) -> None:
        """Refuses a size that is not that of the weights; it may be missing."""
        said = self.size(name)
        if said is not None and said != found:
            raise NbkitError(f"{self.path} says {name} = {said}, and the weights beside it have {found}: one is wrong")

    def finish(self, harmless: Collection[str]) -> None:
        """Refuses a field that may change what is computed: one that was not taken and isn't known to be harmless."""
        unknown = sorted(set(self.fields) - self._taken - set(harmless))
        if unknown:
            name = unknown[0][:60]
            raise NbkitError(
                f"{self.path} has the field {name!r}, which nbkit doesn't know: take it out there if what the "
                "autoencoder computes doesn't depend on it"
            )

    def refusal(self, name: str, value: object, why: str) -> NbkitError:
        """What a user is told about a field that nbkit can't obey."""
        return NbkitError(f"{self.path} says {name} = {json.dumps(value)[:60]}, which nbkit can't obey: {why}")
