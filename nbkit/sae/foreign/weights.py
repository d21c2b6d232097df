"""A file of tensors, and the names under which formats keep them; code in a file never runs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.files import read_tensors

Layout = Mapping[str, tuple[str, bool]]
"""For each foreign name: ours, and whether the foreign matrix is the transpose of ours."""
LINEAR: Layout = {
    "encoder.weight": ("w_enc", True),
    "encoder.bias": ("b_enc", False),
    "decoder.weight": ("w_dec", True),
    "decoder.bias": ("b_dec", False),
}
SAELENS: Layout = {
    "W_enc": ("w_enc", False),
    "b_enc": ("b_enc", False),
    "W_dec": ("w_dec", False),
    "b_dec": ("b_dec", False),
}


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.safetensors` or `.npz` file or of a torch state dict.

    Raises:
        NbkitError: no such file, a damaged one, or it holds more than tensors.
    """
    if not path.is_file():
        raise NbkitError(f"there is no sparse autoencoder at {path}")
    if path.suffix == ".safetensors":
        return read_tensors(path)
    return _read_npz(path) if path.suffix == ".npz" else _read_torch(path)


def renamed(found: Mapping[str, Tensor], layout: Layout, path: Path) -> dict[str, Tensor]:
    """The tensors of a layout under our names, matrices as ours lie.

    Raises:
        NbkitError: one is missing, too many, or of a wrong number of dimensions.
    """
    if odd := sorted(set(found) ^ set(layout)):
        what = "lacks" if odd[0] in layout else "has besides those of a sparse autoencoder"
        raise NbkitError(f"{path} {what} the tensor {odd[0][:60]!r}")
    tensors = {}
    for name, (ours, transposed) in layout.items():
        tensor = found[name]
        dimensions = (2,) if ours.startswith("w") else (0, 1) if ours == "threshold" else (1,)
        if tensor.ndim not in dimensions or 0 in tensor.shape:
            what = "a matrix" if dimensions == (2,) else "a vector"
            raise NbkitError(f"{path}: {name} has shape {tuple(tensor.shape)}, and must be {what}")
        tensors[ours] = tensor.T.contiguous() if transposed else tensor
    return tensors


def _read_npz(path: Path) -> dict[str, Tensor]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(np.array(arrays[name])) for name in arrays.files}
    except (OSError, ValueError, TypeError, BadZipFile, EOFError, KeyError, AttributeError) as error:
        raise NbkitError(f"{path} is no file of NumPy arrays, or a damaged one ({type(error).__name__})") from error


def _read_torch(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings(action="ignore"):
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise NbkitError(
            f"{path} holds code or other objects beside tensors, which are not loaded: save the state dict alone"
        ) from error
    # Bytes that are no checkpoint fail in as many ways as there are bytes.
    except Exception as error:
        raise NbkitError(f"{path} is not a torch checkpoint, or a damaged one ({type(error).__name__})") from error
    named = isinstance(content, dict) and all(isinstance(name, str) for name in content)
    if not named or not all(isinstance(value, Tensor) for value in content.values()):
        raise NbkitError(f"{path} is not a state dict of tensors: save the autoencoder's state dict alone")
    for name, tensor in content.items():
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta or tensor.is_complex():
            raise NbkitError(f"{path}: {name[:60]!r} is no plain tensor of real numbers: save it as one")
    return dict(content)
