"""What an atlas was made from, and the names of its files."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields

ATLAS_SCHEMA = 3
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

    @classmethod
    def from_json(cls, values: dict[str, object]) -> Manifest:
        """Raises TypeError if a field is missing."""
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        if "layers" in known:
            known["layers"] = tuple(known["layers"])  # type: ignore[arg-type]
        return cls(**known)  # type: ignore[arg-type]

    def differences(self, other: Manifest) -> list[str]:
        """Names of the fields in which two manifests differ."""
        mine, theirs = asdict(self), asdict(other)
        return [name for name in mine if mine[name] != theirs[name]]


def layer_file(layer: int) -> str:
    """Name of the file of a layer."""
    return f"layer-{layer:02d}.safetensors"
