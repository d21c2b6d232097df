"""Tensors from what a caller gives: PyTorch's as they are, and NumPy's arrays, tables or lists of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.method.checks import checked_array, checked_labels


def as_tensor(values: Any, what: str) -> Tensor:
    """Real numbers as a tensor, in their precision; one of PyTorch stays as it is, with its device and its gradient.

    Args:
        values: a tensor, or what `checked_array` takes.
        what: what a sentence calls them, such as "The activations".

    Raises:
        NbkitError: they are complex, text, or rows of unequal length.
    """
    if not isinstance(values, Tensor):
        return torch.from_numpy(np.array(checked_array(values, what)))  # a copy: some arrays are read-only
    if values.is_complex():
        raise NbkitError(f"{what} hold complex numbers: give real numbers.")
    return values if values.layout == torch.strided else values.to_dense()


def as_classes(labels: Any) -> Tensor:
    """Whole numbers as a tensor; one of PyTorch stays as it is.

    Raises:
        NbkitError: they are no whole numbers.
    """
    if isinstance(labels, Tensor):
        return labels
    found = checked_labels(labels)
    if found.dtype.kind not in "biu":
        raise NbkitError("The labels are words: give one whole number for each of the test activations.")
    return torch.from_numpy(found.astype(np.int64))


def at_least_float32(values: Tensor) -> Tensor:
    """The values in float32 if they are in half precision: sums, averages and differences are taken of these."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
