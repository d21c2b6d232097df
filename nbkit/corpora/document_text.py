"""What a reader found where a text should be, made a text: one rule for files, hubs and memory."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from nbkit.errors import NbkitError

SHOWN_NAMES = 6


class Found(NamedTuple):
    """What a reader found where a text should be."""

    place: str
    """File, line or row, and column, for a message."""
    value: object
    """A text, or None where there is none."""
    goes_on: bool = False
    """Whether it continues the document before it."""


def text_of(found: Found) -> str:
    """Return the text that was found; empty for a null.

    Raises:
        NbkitError: it is something else than a text, or holds half of a surrogate pair.
    """
    value = found.value
    if isinstance(value, str):
        if not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise NbkitError(
                    f"{found.place}: character {error.start + 1} is half of a surrogate pair, so this is not valid "
                    "Unicode. Repair the text."
                ) from error
        return str(value)
    if value is None or _is_missing(value):
        return ""
    raise NbkitError(
        f"{found.place} holds {type(value).__name__}, not a string: give `field`, the column of the texts."
    )


def _is_missing(value: Any) -> bool:
    """Whether it is NaN, NaT or pandas' NA, as a table's cell without a text can be."""
    import pandas as pd

    return pd.api.types.is_scalar(value) and bool(pd.isna(value))


def found_in(record: object, place: str, field: str) -> Found:
    """What a record holds under `field`; a record that is no mapping is the text itself.

    Raises:
        NbkitError: the record has no such field.
    """
    if not isinstance(record, Mapping):
        return Found(place, record)
    if field not in record:
        raise NbkitError(f'{place} has no field "{field}", {only(record)}.')
    return Found(f'{place}, field "{field}"', record[field])


def check_column(names: Iterable[object], field: str, place: str) -> None:
    """Raise if a table doesn't have a column exactly once."""
    names = list(names)
    count = names.count(field)
    if count == 0:
        raise NbkitError(f'{place} has no column "{field}", {only(names)}.')
    if count > 1:
        raise NbkitError(f'{place} has {count} columns "{field}": which one holds the texts can\'t be told.')


def only(names: Iterable[object]) -> str:
    """What there is instead, for a message: the first names and how many more."""
    shown = [str(name) if len(str(name)) <= 30 else f"{str(name)[:29]}…" for name in names]
    if not shown:
        return "nor any other"
    more = len(shown) - SHOWN_NAMES
    return f"only {', '.join(shown[:SHOWN_NAMES])}{f' and {more} more' if more > 0 else ''}"
