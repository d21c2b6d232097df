"""What an atlas was made from, and the names of its files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from nbkit.errors import NbkitError
from nbkit.files import check_seal, read_json, sha256_of, write_json

ATLAS_SCHEMA = 4
"""Version of an atlas's layout."""

MANIFEST = "atlas.json"
CONTEXTS = "contexts.safetensors"
VOCABULARY = "vocabulary.parquet"
NEURONS = "neurons.parquet"

_ABSOLUTE = re.compile(r"[/\\~.]|[A-Za-z]:")  # how a path begins, on any system


@dataclass(frozen=True)
class Manifest:
    """What an atlas was made from. Two atlases with equal manifests hold the same bytes."""

    schema: int
    """`ATLAS_SCHEMA` of the nbkit that made it."""
    model: str
    """The model's name, hub id or folder."""
    model_sha256: str
    """Of its weights."""
    corpus: str
    contexts_sha256: str
    """Of the token contexts."""
    n_contexts: int
    length: int
    """Tokens in a context."""
    layers: tuple[int, ...]
    n_layers: int
    """Layers of the model."""
    d_model: int
    d_mlp: int
    gated: bool
    activation: str
    """Name of the MLP's activation function."""
    threshold: float
    max_examples: int
    weights: str
    """`native`, or `folded` with the layer norm."""
    embedding: str
    """Default kind of embedding."""
    batch_size: int
    block_size: int
    seed: int
    maxima_sha256: str | None
    """Of the given table of maximum activations; None if the scan measured them."""
    dtype: str
    device: str
    """`cpu` or `cuda`."""
    versions: dict[str, str]
    """Of the libraries that compute the numbers."""
    added_before: tuple[tuple[int, str], ...] = ()
    """Ids and text of the special tokens before each context's text, as the model's tokenizer adds them."""
    added_after: tuple[tuple[int, str], ...] = ()
    """Those behind it."""
    checkpoint: str = ""
    """Which one of a model's checkpoints it is and in which precision its weights came, where the name doesn't tell."""

    @property
    def model_name(self) -> str:
        """The model's name or hub id; of a local folder only what it is called, not where it lies."""
        if not _ABSOLUTE.match(self.model):
            return self.model
        return re.split(r"[/\\]", self.model.rstrip("/\\"))[-1]

    @property
    def model_title(self) -> str:
        """What a page calls the model: the checkpoint, or else the name."""
        return self.checkpoint or self.model_name

    def differences(self, other: Manifest) -> list[str]:
        """Names of the fields in which two manifests differ."""
        mine, theirs = asdict(self), asdict(other)
        return [name for name in mine if mine[name] != theirs[name]]


def write_manifest(manifest: Manifest, path: Path, names: Iterable[str] = ()) -> None:
    """Writes a manifest with the sizes and sha256 sums of files that lie beside it."""
    files = {name: [(path.parent / name).stat().st_size, sha256_of(path.parent / name)] for name in names}
    write_json(asdict(manifest) | {"files": files}, path)


def read_manifest(path: Path) -> tuple[Manifest, dict[str, tuple[int, str]]]:
    """A manifest, and of the files that belong to it the sizes and sha256 sums.

    Raises:
        NbkitError: it is of another schema, or not as `write_manifest` wrote it.
    """
    folder = path.parent
    try:
        values = read_json(path)
        schema = values["schema"]
        if schema == ATLAS_SCHEMA and check_seal(path):
            known = {field.name: values[field.name] for field in fields(Manifest)}
            pairs = {name: tuple((i, text) for i, text in known[name]) for name in ("added_before", "added_after")}
            manifest = Manifest(**known | pairs | {"layers": tuple(known["layers"])})
            return manifest, {name: (size, checksum) for name, (size, checksum) in values.get("files", {}).items()}
        if type(schema) is not int or schema == ATLAS_SCHEMA:
            raise ValueError("no number of a schema, or no seal")
    except (NbkitError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise NbkitError(
            f"{path} is not an atlas's manifest, or not as it was written: choose another folder, or delete {folder} "
            "and build it again"
        ) from error
    raise NbkitError(
        f"{path} has schema {schema}, this nbkit reads {ATLAS_SCHEMA}: build it again, in another folder or "
        "after deleting this one"
    )


def layer_file(layer: int) -> str:
    """Name of the file of a layer."""
    return f"layer-{layer:02d}.safetensors"
