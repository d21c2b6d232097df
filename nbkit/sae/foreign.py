"""Weights of sparse autoencoders that other codes have trained."""

from __future__ import annotations

import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.files import read_tensors

# For each layout: our names and whether the foreign matrix is the transpose of ours.
_LINEAR = {
    "encoder.weight": ("w_enc", True),
    "encoder.bias": ("b_enc", False),
    "decoder.weight": ("w_dec", True),
    "decoder.bias": ("b_dec", False),
}
_SAELENS = {
    "W_enc": ("w_enc", False),
    "b_enc": ("b_enc", False),
    "W_dec": ("w_dec", False),
    "b_dec": ("b_dec", False),
}


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors `w_enc`, `b_enc`, `w_dec`, `b_dec` of a `.safetensors` file or a torch state dict.

    A torch file is read with `weights_only=True`: code in it never runs.

    Raises:
        NbkitError: no such file, it holds more than tensors, the names are of neither layout, or `w_enc` is no matrix.
    """
    if not path.is_file():
        raise NbkitError(f"there is no sparse autoencoder at {path}")
    found = read_tensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    for layout in (_LINEAR, _SAELENS):
        if set(found) & set(layout):
            break
    else:
        raise NbkitError(
            f"{path} holds no sparse autoencoder: its tensors should be named {', '.join(_LINEAR)}, or "
            f"{', '.join(_SAELENS)}, and are {', '.join(sorted(found)[:4]) or 'none'}"
        )
    if odd := sorted(set(found) ^ set(layout)):
        what = "lacks" if odd[0] in layout else "has besides those of a sparse autoencoder"
        raise NbkitError(f"{path} {what} the tensor {odd[0]!r}")
    tensors = {}
    for name, (ours, transposed) in layout.items():
        tensor = found[name]
        matrix = ours.startswith("w")
        if tensor.ndim != (2 if matrix else 1) or 0 in tensor.shape:
            raise NbkitError(
                f"{path}: {name} has shape {tuple(tensor.shape)}, and must be {'a matrix' if matrix else 'a vector'}"
            )
        tensors[ours] = tensor.T.contiguous() if transposed else tensor
    return tensors


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
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise NbkitError(f"{path} is not a state dict of tensors: save the autoencoder's state dict alone")
    return content
