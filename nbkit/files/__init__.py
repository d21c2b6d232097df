"""The files that nbkit leaves on disk: safetensors, Parquet and JSON, written whole or not at all, with a checksum in
each that every reading verifies."""

from nbkit.files.check import Checked, check
from nbkit.files.digest import sha256_of_tensors
from nbkit.files.formats import (
    FILE_SCHEMA,
    map_array,
    notes_of,
    read_json,
    read_table,
    read_tensors,
    write_json,
    write_table,
    write_tensors,
)
from nbkit.files.handover import handing_over
from nbkit.files.mapped import distinct, parts, release
from nbkit.files.seal import check_seal, sha256_of
from nbkit.files.whole import (
    cannot_write_to,
    held_folder,
    is_leftover,
    link_or_copy,
    make_folder,
    not_writable,
    replacing,
    replacing_folder,
    sweep,
    user_path,
)

__all__ = [
    "FILE_SCHEMA",
    "Checked",
    "cannot_write_to",
    "check",
    "check_seal",
    "distinct",
    "handing_over",
    "held_folder",
    "is_leftover",
    "link_or_copy",
    "make_folder",
    "map_array",
    "not_writable",
    "notes_of",
    "parts",
    "read_json",
    "read_table",
    "read_tensors",
    "release",
    "replacing",
    "replacing_folder",
    "sha256_of",
    "sha256_of_tensors",
    "sweep",
    "user_path",
    "write_json",
    "write_table",
    "write_tensors",
]
