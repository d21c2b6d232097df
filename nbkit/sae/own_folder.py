"""The folder that `SparseAutoencoder.save` writes: `cfg.json` and `sae.safetensors`."""

from __future__ import annotations

import json
from pathlib import Path

from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.files import FILE_SCHEMA, check_seal, read_tensors, write_json, write_tensors
from nbkit.sae.architecture import Architecture
from nbkit.sae.description import Description

SAE_CONFIG = "cfg.json"
SAE_WEIGHTS = "sae.safetensors"
FULL_SCHEMA = FILE_SCHEMA + 1
"""Of a folder whose `cfg.json` has every field of `Architecture`; the first schema had only `FIELDS`, and says all of
what is trained here."""
FIELDS = ("d_in", "d_sae", "activation", "k")


def write_folder(architecture: Architecture, tensors: dict[str, Tensor], folder: Path) -> None:
    """Writes both files, each whole or not at all.

    Raises:
        NbkitError: they can't be written.
    """
    write_tensors(tensors, folder / SAE_WEIGHTS)
    fields = architecture.as_fields()
    if architecture.is_plain:
        config = {"schema": FILE_SCHEMA, **{name: fields[name] for name in FIELDS}}
    else:
        config = {"schema": FULL_SCHEMA, **fields}
    write_json(config, folder / SAE_CONFIG)


def read_folder(description: Description) -> tuple[Architecture, dict[str, Tensor]]:
    """What `write_folder` wrote.

    Raises:
        NbkitError: it is damaged or of another version.
    """
    path, fields = description.path, dict(description.fields)
    schema = fields.pop("schema")
    fields.pop("seal", None)
    if schema not in (FILE_SCHEMA, FULL_SCHEMA):
        raise NbkitError(
            f"{path.parent} has schema {json.dumps(schema)[:40]}, this nbkit reads {FILE_SCHEMA} and {FULL_SCHEMA}: "
            "save it again"
        )
    known = FIELDS if schema == FILE_SCHEMA else tuple(Architecture.__dataclass_fields__)
    if odd := sorted(set(known) ^ set(fields)):
        what = "lacks" if odd[0] in known else "has the unknown"
        raise NbkitError(f"{path} doesn't describe a sparse autoencoder (it {what} field {odd[0]!r})")
    try:
        architecture = Architecture(**fields)
    except (NbkitError, TypeError) as error:
        raise NbkitError(f"{path} doesn't describe a sparse autoencoder ({error})") from error
    tensors = read_tensors(path.parent / SAE_WEIGHTS)
    if architecture.shapes == {name: tuple(tensor.shape) for name, tensor in tensors.items()}:
        check_seal(path)  # what doesn't fit says more than a checksum does, and is refused without one
    return architecture, tensors
