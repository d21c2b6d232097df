"""safetensors, Parquet and JSON: each written whole, sealed, and verified when it is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nbkit.errors import NbkitError
from nbkit.files.mapped import parts
from nbkit.files.seal import UNSEALED, check_seal, seal
from nbkit.files.whole import replacing

if TYPE_CHECKING:  # imported when first used: they take seconds, and the help needs none of them
    import pandas as pd
    from torch import Tensor

FILE_SCHEMA = 1
"""Version of what all these files have in common; in every file. An atlas counts the changes of its own layout."""
MOST_JSON = 1 << 24
"""Bytes of a JSON file at most: those that nbkit writes are a thousand times smaller."""
_TYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, mapped into memory and read when they are touched.

    Raises:
        NbkitError: if the file is not whole, or not as it was written.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:  # which says whether it is whole
            check_seal(path)
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error


def map_array(path: Path, name: str) -> np.ndarray:
    """A tensor of a safetensors file as an array that can't be written to, mapped into memory: `parts` and `release`
    give back what was read of it.

    Raises:
        NbkitError: if the file is not whole, not as it was written, or holds no such tensor that NumPy has a type for.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np"):  # which says whether it is whole
            check_seal(path)
        with path.open("rb") as file:
            n_bytes = int.from_bytes(file.read(8), "little")
            about = json.loads(file.read(n_bytes))[name]
        kind = next(each for each, short in _TYPES.items() if short == about["dtype"])
        dtype, shape = np.dtype(kind).newbyteorder("<"), tuple(about["shape"])
        if 0 in shape:  # no system maps nothing
            return np.empty(shape, dtype)
        offset = 8 + n_bytes + about["data_offsets"][0]
        return np.memmap(path, dtype, "r", offset, shape).view(np.ndarray)
    except (SafetensorError, OSError, KeyError, StopIteration, TypeError) as error:
        raise _unreadable(path, error) from error


def notes_of(path: Path) -> dict[str, str]:
    """The notes in the header of a safetensors file.

    Raises:
        NbkitError: if the file is not whole.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from error


def read_table(path: Path) -> pd.DataFrame:
    """A Parquet file.

    Raises:
        NbkitError: if the file is not whole, or not as it was written.
    """
    import pandas as pd

    try:
        check_seal(path)
        return pd.read_parquet(path)
    except NbkitError:
        raise
    except (ValueError, OSError) as error:  # PyArrow's errors are both
        raise _unreadable(path, error) from error


def read_json(path: Path) -> Any:
    """What a JSON file holds, without its seal.

    Raises:
        NbkitError: if the file is not whole, or not as it was written.
    """
    try:
        if path.stat().st_size > MOST_JSON:
            raise ValueError("it is too large")
        values = json.loads(path.read_text(encoding="utf-8"))
        if check_seal(path):
            del values["seal"]
        return values
    except NbkitError:
        raise
    except (ValueError, OSError, RecursionError) as error:
        raise _unreadable(path, error) from error


def write_tensors(
    tensors: Mapping[str, Tensor | np.ndarray], path: Path, about: Mapping[str, str] | None = None
) -> None:
    """Writes a safetensors file with the schema version and `about` in its header, whole or not at all.

    An array that is mapped from another file is read part by part.

    The library's own writer takes the notes of the header in an order that differs from process to process, and writes
    to a temporary name of its own.
    """
    notes = {"nbkit_schema": str(FILE_SCHEMA), **(about or {}), "seal": UNSEALED}
    header: dict[str, object] = {"__metadata__": dict(sorted(notes.items()))}
    start, contents = 0, []
    arrays = [(-values.itemsize, name, values) for name, values in tensors.items()]
    for _, name, values in sorted(arrays, key=lambda each: each[:2]):  # aligned, the widest first
        kind, array = _array(values)
        stop = start + values.nbytes
        header[name] = {"dtype": _TYPES[kind], "shape": list(values.shape), "data_offsets": [start, stop]}
        contents.append(array)
        start = stop
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with replacing(path) as temporary:
        with temporary.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for array in contents:
                for part in parts(array):
                    file.write(np.ascontiguousarray(part, array.dtype.newbyteorder("<")).data)
        seal(temporary)


def _array(values: Tensor | np.ndarray) -> tuple[str, np.ndarray]:
    """What the numbers of a tensor or array are called, and an array of the same bytes."""
    if isinstance(values, np.ndarray):
        return values.dtype.name, np.atleast_1d(values)
    import torch

    flat = values.detach().cpu().contiguous().view(-1)
    return str(flat.dtype).removeprefix("torch."), flat.view(torch.uint8).numpy()  # NumPy has no bfloat16


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Writes a Parquet file with the schema version, whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = pa.Table.from_pandas(table, preserve_index=False)
    notes = {
        **columns.schema.metadata,
        b"PANDAS_ATTRS": json.dumps({"nbkit_schema": FILE_SCHEMA}),
    }  # of DataFrame.attrs
    columns = columns.replace_schema_metadata(notes)
    with replacing(path) as temporary:
        with pq.ParquetWriter(temporary, columns.schema) as writer:
            writer.write_table(columns)
            writer.add_key_value_metadata({"seal": UNSEALED})
        seal(temporary)


def write_json(values: object, path: Path) -> None:
    """Writes a JSON file, whole or not at all; one with a `schema`, of nbkit's own then, gets a seal."""
    sealed = isinstance(values, dict) and "schema" in values
    if isinstance(values, dict) and sealed:
        values = {**values, "seal": UNSEALED}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        if sealed:
            seal(temporary)


def _unreadable(path: Path, error: Exception) -> NbkitError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return NbkitError(f"{path} can't be read ({reason}): delete it and make it again")
