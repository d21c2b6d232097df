"""safetensors, Parquet and JSON: each written whole, sealed, and verified when it is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbkit.errors import NbkitError
from nbkit.files.seal import BLANK, check_seal, seal
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


def write_tensors(tensors: Mapping[str, Tensor], path: Path, about: Mapping[str, str] | None = None) -> None:
    """Writes a safetensors file with the schema version and `about` in its header, whole or not at all.

    The library's own writer takes the notes of the header in an order that differs from process to process, and writes
    to a temporary name of its own.
    """
    import torch

    notes = {"nbkit_schema": str(FILE_SCHEMA), **(about or {}), "seal": BLANK}
    header: dict[str, object] = {"__metadata__": dict(sorted(notes.items()))}
    start, contents = 0, []
    for name in sorted(tensors, key=lambda name: (-tensors[name].element_size(), name)):  # aligned, the widest first
        tensor = tensors[name].detach().cpu().contiguous()
        stop = start + tensor.nbytes
        kind = _TYPES[str(tensor.dtype).removeprefix("torch.")]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [start, stop]}
        contents.append(tensor)
        start = stop
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with replacing(path) as temporary:
        with temporary.open("wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for tensor in contents:
                file.write(tensor.view(-1).view(torch.uint8).numpy().data)
        seal(temporary)


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
            writer.add_key_value_metadata({"seal": BLANK})
        seal(temporary)


def write_json(values: object, path: Path) -> None:
    """Writes a JSON file, whole or not at all; one with a `schema`, of nbkit's own then, gets a seal."""
    sealed = isinstance(values, dict) and "schema" in values
    if isinstance(values, dict) and sealed:
        values = {**values, "seal": BLANK}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        if sealed:
            seal(temporary)


def _unreadable(path: Path, error: Exception) -> NbkitError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return NbkitError(f"{path} can't be read ({reason}): delete it and make it again")
