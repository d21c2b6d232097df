"""What an atlas was made from, and the names of its files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from nbkit.errors import NbkitError
from nbkit.files import check_seal, read_json, sha256_of, write_json
from nbkit.models.sign import Sign
from nbkit.models.site import Site

ATLAS_SCHEMA = 5
"""Version of an atlas's layout."""
NEURONS_SCHEMA = 4
"""The one before, whose manifest tells of MLP neurons alone; it is read as well."""

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
    """Tokens in a context; of an input that is shown as one thing, such as an image, 1."""
    sites: tuple[Site, ...]
    """Where the units are; see `Units`."""
    n_sites: int
    """Sites that there are, of which these were scanned; of neurons, layers of the model."""
    threshold: float
    max_examples: int
    weights: Literal["native", "folded"]
    """Of MLP neurons, `native`, or `folded` with the layer norm."""
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
    sign: Sign = "positive"
    """Which activations are looked for."""
    inputs: str = "text"
    """What was scanned: `text` of a language model's tokens; or arrays that are shown as `images`, `tokens` in windows,
    `texts` or `labels`."""

    @property
    def layers(self) -> tuple[int, ...]:
        """The numbers of the sites; of neurons those of their layers."""
        return tuple(site.number for site in self.sites)

    @property
    def n_units(self) -> int:
        """Units of all sites."""
        return sum(site.n_units for site in self.sites)

    @property
    def gated(self) -> bool:
        """Whether all units are gated, as the neurons of Llama's MLPs."""
        return all(site.gated for site in self.sites)

    @property
    def unit(self) -> str:
        """What one of the units is called: `neuron`, `latent`, or `unit` if there are several kinds."""
        kinds = {site.unit for site in self.sites}
        return kinds.pop() if len(kinds) == 1 else "unit"

    def site(self, number: int) -> Site:
        """The site of a number."""
        return next(site for site in self.sites if site.number == number)

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
        return [each.name for each in fields(self) if getattr(self, each.name) != getattr(other, each.name)]


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
        if type(schema) is int and schema in (NEURONS_SCHEMA, ATLAS_SCHEMA) and check_seal(path):
            if schema == NEURONS_SCHEMA:
                values |= _of_neurons(values)
            values = {"sign": "positive", "inputs": "text"} | values  # an atlas that was made before there was a choice
            known = {field.name: values[field.name] for field in fields(Manifest)}
            pairs = {name: tuple((i, text) for i, text in known[name]) for name in ("added_before", "added_after")}
            manifest = Manifest(**known | pairs | {"sites": tuple(Site(**site) for site in known["sites"])})
            return manifest, {name: (size, checksum) for name, (size, checksum) in values.get("files", {}).items()}
        if type(schema) is not int or schema in (NEURONS_SCHEMA, ATLAS_SCHEMA):
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


def _of_neurons(values: dict[str, Any]) -> dict[str, Any]:
    """What a manifest of the older schema says in today's words."""
    shape = values["d_mlp"], values["d_model"], values["gated"], values["activation"]
    sites = [asdict(Site.of_neurons(layer, *shape)) for layer in values["layers"]]
    return {"schema": ATLAS_SCHEMA, "sites": sites, "n_sites": values["n_layers"]}


def layer_file(layer: int) -> str:
    """Name of the file of a layer."""
    return f"layer-{layer:02d}.safetensors"
