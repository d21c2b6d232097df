"""The folder that `SparseAutoencoder.save` writes: `cfg.json` and `sae.safetensors`."""

from __future__ import annotations

import json
from pathlib import Path

from nbkit.errors import NbkitError
from nbkit.files import FILE_SCHEMA, check_seal, read_tensors, write_json, write_tensors
from nbkit.sae.architecture import Architecture
from nbkit.sae.autoencoder_parts import Found
from nbkit.sae.description import Description
from nbkit.sae.hooks import Hooks

SAE_CONFIG = "cfg.json"
SAE_WEIGHTS = "sae.safetensors"
FULL_SCHEMA = FILE_SCHEMA + 1
"""Of a folder whose `cfg.json` has every field of `Architecture`; the first schema had only `FIELDS`, and says all of
what is trained here."""
HOOK_SCHEMA = FILE_SCHEMA + 2
"""Of a folder whose `cfg.json` has every field of `Architecture` and `HOOKS`."""
FIELDS = ("d_in", "d_sae", "activation", "k")
HOOKS = ("hook", "hook_out")


def write_folder(found: Found, folder: Path) -> None:
    """Writes both files, each whole or not at all, in the oldest schema that says all.

    Raises:
        NbkitError: they can't be written.
    """
    write_tensors(found.tensors, folder / SAE_WEIGHTS)
    fields, hooks = found.architecture.as_fields(), found.hooks
    if hooks.read is not None or hooks.predicted is not None:
        config = {"schema": HOOK_SCHEMA, **fields, "hook": hooks.read, "hook_out": hooks.predicted}
    elif found.architecture.is_plain:
        config = {"schema": FILE_SCHEMA, **{name: fields[name] for name in FIELDS}}
    else:
        config = {"schema": FULL_SCHEMA, **fields}
    write_json(config, folder / SAE_CONFIG)


def read_folder(description: Description) -> Found:
    """What `write_folder` wrote.

    Raises:
        NbkitError: it is damaged or of another version.
    """
    path, fields = description.path, dict(description.fields)
    schema = fields.pop("schema")
    fields.pop("seal", None)
    if schema not in (FILE_SCHEMA, FULL_SCHEMA, HOOK_SCHEMA):
        raise NbkitError(
            f"{path.parent} has schema {json.dumps(schema)[:40]}, this nbkit reads {FILE_SCHEMA} to {HOOK_SCHEMA}: "
            "save it again"
        )
    known = FIELDS if schema == FILE_SCHEMA else tuple(Architecture.__dataclass_fields__)
    known += HOOKS if schema == HOOK_SCHEMA else ()
    if odd := sorted(set(known) ^ set(fields)):
        what = "lacks" if odd[0] in known else "has the unknown"
        raise NbkitError(f"{path} doesn't describe a sparse autoencoder (it {what} field {odd[0]!r})")
    hooks = Hooks(description.hook("hook"), description.hook("hook_out"))
    fields = {name: value for name, value in fields.items() if name not in HOOKS}
    try:
        architecture = Architecture(**fields)
    except (NbkitError, TypeError) as error:
        raise NbkitError(f"{path} doesn't describe a sparse autoencoder ({error})") from error
    tensors = read_tensors(path.parent / SAE_WEIGHTS)
    if architecture.shapes == {name: tuple(tensor.shape) for name, tensor in tensors.items()}:
        check_seal(path)  # what doesn't fit says more than a checksum does, and is refused without one
    return Found(architecture, tensors, hooks)
