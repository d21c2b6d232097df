"""What a caller gives, checked in one place: numbers, choices, arrays and labels, or one sentence that says why not."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from nbkit.errors import NbkitError

LONGEST_VALUE = 60
"""Characters of a value that a sentence shows."""


LARGEST_SIZE = 2**31 - 1
"""Sizes and steps that PyTorch takes are below."""
LARGEST_SEED = 2**32 - 1


def checked_whole(name: str, value: object, least: int | None = None, most: int | None = None) -> int:
    """A whole number of Python or NumPy.

    Raises:
        NbkitError: it is none, below `least` or above `most`.
    """
    number = plain(value)
    if isinstance(number, bool) or not isinstance(number, Integral):
        raise NbkitError(f"{name} is {shown(value)}: give a whole number")
    whole = int(number)
    if least is not None and whole < least:
        raise NbkitError(f"{name} is {shown(value)}: it must be at least {least}")
    if most is not None and whole > most:
        raise NbkitError(f"{name} is {shown(value)}: it must be at most {most}")
    return whole


def checked_seed(value: object) -> int:
    """A seed that NumPy and PyTorch take.

    Raises:
        NbkitError: it is no whole number, negative or above 2^32 - 1.
    """
    return checked_whole("seed", value, 0, LARGEST_SEED)


def checked_number(name: str, value: object, wanted: str, low: float, high: float, ends: str = "[)") -> float:
    """A finite number of Python or NumPy, as one of Python.

    Args:
        name: what the sentence calls it.
        value: the number.
        wanted: what it must be, in words, after "it is 2:".
        low, high, ends: see `within`.

    Raises:
        NbkitError: it is no number, not finite, or out of bounds.
    """
    if not within(value, low, high, ends):
        raise NbkitError(f"{name} is {shown(value)}: {wanted if is_number(value) else 'give a number'}")
    number: float = plain(value)
    return number if isinstance(number, int | float) else float(number)


def within(value: object, low: float, high: float, ends: str = "[)") -> bool:
    """Whether this is a finite number of Python or NumPy between two bounds.

    Args:
        value: anything.
        low, high: the bounds.
        ends: whether they belong to it, as in mathematics: `[)`, `(]`, `[]` or `()`.
    """
    number = plain(value)
    if not is_number(number) or not -sys.float_info.max <= number <= sys.float_info.max:
        return False
    return bool(
        (low < number or (ends[0] == "[" and number == low)) and (number < high or (ends[1] == "]" and number == high))
    )


def is_number(value: object) -> bool:
    """Whether this is a real number of Python or NumPy, and no truth value."""
    number = plain(value)
    return isinstance(number, Real) and not isinstance(number, bool)


def checked_choice(name: str, value: object, choices: Sequence[str]) -> str:
    """One of some words.

    Raises:
        NbkitError: it is none of them.
    """
    if not isinstance(value, str) or value not in choices:
        raise NbkitError(f"{name} is {shown(value)}: choose one of {', '.join(choices)}")
    return str(value)


def checked_array(values: Any, what: str) -> np.ndarray:
    """Real numbers as an array of NumPy: from one, from pandas, PyTorch or SciPy (sparse ones are filled), or lists.

    Returns:
        Floating-point numbers in their precision, bfloat16 as float32; whole numbers and truth values as float64. NaN
        and infinity are left to the caller.

    Raises:
        NbkitError: there are complex numbers, text or rows of unequal length, or masked entries.
    """
    if hasattr(values, "detach"):  # a tensor of PyTorch, which need not be imported for it
        tensor = values.detach().cpu()
        tensor = tensor.to_dense() if str(tensor.layout) != "torch.strided" else tensor
        values = (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).resolve_conj().numpy()
    elif hasattr(values, "toarray"):  # a sparse one of SciPy, which need not be imported either
        values = values.toarray()
    array = _whole_array(values, what)
    if array.dtype.kind == "O" and array.size and all(isinstance(value, Real) for value in array.flat):
        array = np.array([float(value) if abs(value) < 2**1023 else np.inf for value in array.flat]).reshape(
            array.shape
        )
    if array.dtype.kind not in "biuf":
        kind = {"c": "complex numbers", "U": "text", "S": "bytes"}.get(
            array.dtype.kind, f"values of type {array.dtype}"
        )
        raise NbkitError(f"{what} hold {kind}: give real numbers.")
    known = array.dtype.kind == "f" and array.dtype.itemsize <= 8
    return array.astype(array.dtype.newbyteorder("=") if known else np.float64, copy=False)


def _whole_array(values: Any, what: str) -> np.ndarray:
    if np.ma.is_masked(values):
        raise NbkitError(f"{what} have masked entries: leave them out, or fill them.")
    try:
        array: np.ndarray = np.asarray(values)
    except (ValueError, TypeError) as error:
        raise NbkitError(f"{what} are no array: their rows differ in length.") from error
    return array


def checked_labels(labels: Any, what: str = "The labels") -> np.ndarray:
    """Names of clusters: whole numbers or words, in an array or a list; numbers may come as floating-point ones.

    Returns:
        Numbers or words that are equal where the names are.

    Raises:
        NbkitError: they are neither; a NaN or None names no cluster.
    """
    if hasattr(labels, "detach"):
        labels = labels.detach().cpu()
    array = _whole_array(labels, what)
    if array.dtype.kind == "O" and array.size:
        kinds = {
            str if isinstance(value, str) else int if isinstance(value, Integral) else None for value in array.flat
        }
        if len(kinds) == 1 and None not in kinds:
            array = np.unique(array, return_inverse=True)[1].reshape(array.shape)  # whatever they are, equal or not
    if array.dtype.kind == "f" and np.isfinite(array).all() and (array == np.rint(array)).all():
        array = array.astype(np.int64)  # as pandas writes whole numbers of a column that had gaps
    if array.dtype.kind not in "biuUS":
        raise NbkitError(f"{what} are no names of clusters: give one whole number or word for each example.")
    return array


def have_direction(embeddings: Float[np.ndarray, "n d"]) -> Bool[np.ndarray, " n"]:
    """Which embeddings have a direction, so that a cosine is defined: those that are finite and not all zeros."""
    found: Bool[np.ndarray, " n"] = np.isfinite(embeddings).all(axis=1) & embeddings.any(axis=1)
    return found


def shown(value: object) -> str:
    """A value as a sentence shows it, on one line and cut if it is long."""
    text = " ".join(repr(plain(value)).split())
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 2]} …"


def plain(value: Any) -> Any:
    """A number of NumPy or PyTorch, or an array of one number without dimensions, as Python's; the rest as it is."""
    item = getattr(value, "item", None)
    return item() if getattr(value, "ndim", None) == 0 and callable(item) else value
