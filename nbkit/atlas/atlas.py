"""What a scan leaves on disk, and how it is read back, layer by layer.

atlas.json             manifest: what was scanned and how, every other file's size and sha256; written last
contexts.safetensors   the token contexts
vocabulary.parquet     what every token writes that occurs in them, or that a neuron promotes or suppresses
layer-07.safetensors   of a layer, or another site of units, the dataset examples and the strongest contexts (see
                       `merge_layer`), the levels of activation (see `merge_levels`), the logit effects
                       (`nbkit.models.logits`) and its units' weights
neurons.parquet        one row per neuron, with the metrics of the default embedding
metrics-<kind>.parquet the metrics in another embedding space, made when first asked for

Made when first asked for: features.parquet, similar-<kind>.safetensors, agreement.parquet, importance.safetensors,
phrases.parquet, quadrants.parquet, key-tokens-<site>.parquet, named-clusters-<layer>-<sha256>.parquet, and shards/ (the
modules of these names, `nbkit.features.neighbors`, `nbkit.features.in_basis`, and `nbkit.explorers.atlas.shard_files`).
What is made with another embedding (`Atlas.with_embedding`) lies in embedding-<kind>/, a neurons.parquet among it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int, UInt8

from nbkit.atlas.config import chosen_embedding
from nbkit.atlas.kept_files import KeptFiles
from nbkit.atlas.layer import Layer
from nbkit.atlas.manifest import CONTEXTS, MANIFEST, NEURONS, VOCABULARY, Manifest, read_manifest
from nbkit.atlas.neuron import Neuron
from nbkit.atlas.neuron_table import survey
from nbkit.atlas.seen import SeenImages
from nbkit.atlas.snippets import display_token
from nbkit.atlas.tokens import contexts_of
from nbkit.corpora import Contexts
from nbkit.errors import NbkitError
from nbkit.files import map_array, read_table, read_tensors, release, sweep, user_path
from nbkit.method.checks import checked_whole, shown
from nbkit.method.clusters import PAPER_CUT
from nbkit.models.site import CENTERED, Site, embedding_kinds
from nbkit.models.token_bytes import LONE, raw_text


def open_atlas(path: str | Path) -> Atlas:
    """Opens an atlas that `build_atlas` finished.

    Raises:
        NbkitError: if there is none, it is unfinished, of another schema, or a file of it is missing or truncated.
    """
    folder = user_path(path)
    if not (folder / MANIFEST).is_file():
        unfinished = (folder / "scan").is_dir()
        hint = "its scan was interrupted: run the same build again to finish it" if unfinished else "build one first"
        raise NbkitError(f"no atlas in {folder}: {hint}")
    manifest, files = read_manifest(folder / MANIFEST)
    for name, (size, _) in files.items():
        found = (folder / name).stat().st_size if (folder / name).is_file() else None
        if found != size:
            state = "missing" if found is None else f"{found} bytes long instead of {size}"
            raise NbkitError(f"atlas {folder} is damaged: {name} is {state}; delete the folder and build it again")
    sweep(folder)
    return Atlas(folder, manifest)


@dataclass(frozen=True, eq=False)
class Atlas:
    """The dataset examples of every neuron of the scanned layers, or every latent or unit of another kind. Made by
    `build_atlas`, opened by `open_atlas`."""

    path: Path
    """Folder of the atlas."""
    manifest: Manifest
    """What was scanned, how, and with which versions."""
    made_in: str = "."
    """Folder, inside the atlas's, for what is made from the atlas; every embedding has one (see `with_embedding`)."""

    def __repr__(self) -> str:
        return f"Atlas({str(self.path)!r}, {self.manifest.model} on {self.manifest.corpus}: {self.summary})"

    def __reduce__(self) -> tuple[type[Atlas], tuple[Path, Manifest, str]]:
        """To travel light to another process: without what has been read."""
        return Atlas, (self.path, self.manifest, self.made_in)

    def with_embedding(self, embedding: str) -> Atlas:
        """This atlas with another default embedding, by which tables, features and explorers are made: the dataset
        examples stay, and nothing is scanned. What is made is kept in a folder of its own inside the atlas's.

        Args:
            embedding: one that `AtlasConfig.embedding` can have, such as `paper`.

        Raises:
            NbkitError: the units don't have it.
        """
        embedding = chosen_embedding(embedding, self.manifest.sites, self.manifest.model)
        made_in = "." if embedding == self.as_built.manifest.embedding else f"embedding-{embedding}"
        return Atlas(self.path, replace(self.manifest, embedding=embedding), made_in)

    @cached_property
    def as_built(self) -> Atlas:
        """This atlas with the embedding that it was built with."""
        return self if self.made_in == "." else Atlas(self.path, read_manifest(self.path / MANIFEST)[0])

    @property
    def layers(self) -> tuple[int, ...]:
        """The numbers of the sites that were scanned; of MLP neurons those of their layers, 0-based."""
        return self.manifest.layers

    @property
    def n_neurons(self) -> int:
        """How many units there are, over all sites that were scanned."""
        return self.manifest.n_units

    @cached_property
    def starts(self) -> Int[np.ndarray, " sites+1"]:
        """The row of each site's first unit in `neurons`, and behind the last the number of all units."""
        return np.cumsum([0, *(site.n_units for site in self.manifest.sites)])

    def at(self, row: int) -> tuple[int, int]:
        """Site and index of the unit in a row of `neurons`."""
        place = int(np.searchsorted(self.starts, row, side="right")) - 1
        return self.layers[place], row - int(self.starts[place])

    def rows(self, layer: pd.Series, index: pd.Series) -> Int[np.ndarray, " n"]:
        """The rows of units in `neurons`, given columns of their sites and indices."""
        places = np.searchsorted(self.layers, layer)
        return np.asarray(self.starts[places] + index.to_numpy())

    @cached_property
    def neurons(self) -> pd.DataFrame:
        """One row per neuron: layer, index, n_examples, max_activation (see `Neuron`), and the metrics of the default
        embedding."""
        if self.made_in == ".":
            return read_table(self.path / NEURONS)
        return self.kept.table(NEURONS, lambda: survey(self, self.manifest.embedding))

    @property
    def summary(self) -> str:
        """How many neurons there are, and how many of them have examples; how many have NaN for their metrics, and
        why, if any has but for lack of examples."""
        table = self.neurons
        n, has = len(table), table["n_examples"]
        units = f"{self.manifest.unit}s"
        text = f"{int((has > 0).sum()):,} {units} with examples"
        reasons = {
            "have no direction": (has > 1) & table["mean_distance"].isna(),
            "have activations that are not finite": table["max_activation"].isna(),
        }
        for reason, rows in reasons.items():
            if rows.any():
                text += f"; {int(rows.sum()):,} of {n:,} {units} {reason}: NaN"
        return text

    def metrics(self, kind: str, progress: bool = True) -> pd.DataFrame:
        """One row per neuron, as in `neurons`, with the metrics in an embedding space of choice.

        NaN where a neuron has fewer than two examples, or one whose embedding has no direction (see
        `Neuron.has_direction`). Made on first demand and kept in the atlas's folder (see `KeptFiles`).

        Args:
            kind: see `Neuron.kinds`.

        Raises:
            NbkitError: if the kind is not defined for these neurons, or the disk is full.
        """
        kinds = embedding_kinds(self.manifest.sites)
        if not isinstance(kind, str) or kind not in kinds:
            of = f"the {self.manifest.unit}s of {self.manifest.model}"
            raise NbkitError(f"{of} have no {shown(kind)} embedding: choose {', '.join(kinds)}")
        if kind == self.manifest.embedding:
            return self.neurons
        return self.kept.table(f"metrics-{kind}.parquet", lambda: survey(self, kind, progress))

    @cached_property
    def kept(self) -> KeptFiles:
        """What is made from the atlas on first demand."""
        return KeptFiles(self.path / self.made_in)

    def neuron(self, layer: int, index: int) -> Neuron:
        """The neuron `index` of `layer`.

        Raises:
            NbkitError: if the atlas doesn't hold it.
        """
        site, index = self._site(layer), checked_whole("neuron", index)
        if not 0 <= index < site.n_units:
            raise NbkitError(f"{site.title} has no {site.unit} {index}: its {site.unit}s are 0 to {site.n_units - 1}")
        return self._layer(site.number).neuron(index)

    def iterate(self, layer: int) -> Iterator[Neuron]:
        """The neurons of a layer, or the units of another site, in order."""
        for index in range(self._site(layer).n_units):
            yield self.neuron(layer, index)
            release(self.tokens)

    def mean_read(self, layer: int) -> Float[np.ndarray, " width"]:
        """The mean of the vectors that the units of a site receive in their dataset examples and strongest contexts, a
        token's counted once however many receive it; NaN if there is none.

        Raises:
            NbkitError: if the atlas doesn't hold the site.
        """
        return self._layer(self._site(layer).number).reads.mean

    def cut(self, layer: int) -> float:
        """Where the trees of a site's units are cut (see `Neuron.cut`).

        Raises:
            NbkitError: if the atlas doesn't hold the site.
        """
        site = self._site(layer)
        return self._layer(site.number).reads.cut if self.manifest.embedding == CENTERED else PAPER_CUT

    def _site(self, layer: int) -> Site:
        layer = checked_whole("layer", layer)
        if layer not in self.layers:
            where = "layer" if self.manifest.unit == "neuron" else "site"
            raise NbkitError(f"atlas {self.path} has no {where} {layer}: it holds {_ranges(where, self.layers)}")
        return self.manifest.site(layer)

    def token_strings(self, ids: Iterable[int]) -> list[str]:
        """Display strings of tokens, each by itself, that occur in the contexts or in a neuron's logit effects.

        Raises:
            NbkitError: one doesn't occur.
        """
        table = self.raw_texts
        try:
            return [display_token(table[int(i)]) for i in ids]
        except (KeyError, TypeError, ValueError) as error:
            raise NbkitError(f"{shown(ids)} are not all ids of tokens that atlas {self.path} holds") from error

    @lru_cache(maxsize=2)  # noqa: B019 - an atlas lives as long as its reader, and two mapped layers cost no memory
    def _layer(self, layer: int) -> Layer:
        return Layer(self, layer)

    @cached_property
    def tokens(self) -> np.ndarray:
        """(n_contexts, length) token ids, mapped into memory; they can't be written to."""
        return map_array(self.path / CONTEXTS, "tokens")

    @property
    def contexts(self) -> Contexts:
        """The contexts that were scanned, for an atlas of other units on the very same text.

        Positions without text are those of the tokens that the tokenizer added, and the first, as `load_contexts` has
        it.

        Raises:
            NbkitError: the atlas is of arrays, which only their own units read.
        """
        if self.manifest.inputs != "text":
            raise NbkitError(f"atlas {self.path} is of {self.manifest.inputs}: no other units read them")
        return contexts_of(self.manifest, self.tokens, map_array(self.path / CONTEXTS, "documents"))

    @cached_property
    def images(self) -> UInt8[np.ndarray, "n_contexts h w ..."] | None:
        """The inputs as images, gray (n, h, w) or in red, green and blue (n, h, w, 3); None if they are none."""
        found = read_tensors(self.path / CONTEXTS).get("images")
        return None if found is None else found.numpy()

    def boxes(self, layer: int) -> Int[np.ndarray, "positions 4"] | None:
        """What part of an image a unit of a site sees at each position: top, left, bottom and right, in pixels; None
        if it sees the whole.

        Raises:
            NbkitError: if the atlas doesn't hold the site.
        """
        found = read_tensors(self.path / CONTEXTS).get(f"boxes.{self._site(layer).number}")
        return None if found is None else found.numpy()

    def seen(self, layer: int) -> SeenImages | None:
        """The images as the units of a site see them; None if the inputs are no images.

        Raises:
            NbkitError: if the atlas doesn't hold the site.
        """
        return None if self.images is None else SeenImages(self.images, self.boxes(layer))

    @cached_property
    def words(self) -> Int[np.ndarray, " n_ids"]:
        """For each token id a number of its word: equal for tokens that differ in space and case alone.

        A token that stands for no text of its own is a word by itself: a special one, one that holds a part of a
        character, and one that writes nothing.
        """
        table = self.vocabulary
        words = [
            token if special or not data or LONE.search(text := raw_text(data)) else text.strip().casefold()
            for token, data, special in zip(table["id"], table["bytes"], table["special"], strict=True)
        ]
        numbers = np.full(int(table["id"].max()) + 1, -1)
        numbers[table["id"]] = pd.factorize(np.array(words, dtype=object))[0]
        return numbers

    @cached_property
    def vocabulary(self) -> pd.DataFrame:
        """Every token that occurs in the contexts or in a neuron's logit effects.

        Its `id`; its `text`, in which U+FFFD stands for what is part of no whole character; the `bytes` that it
        writes (see `token_bytes`); and whether it is `special`, and so stands for no text.
        """
        return read_table(self.path / VOCABULARY)

    @cached_property
    def raw_texts(self) -> dict[int, str]:
        """The raw text (see `token_bytes`) of every token of the vocabulary; a mark for one that writes nothing."""
        table = self.vocabulary
        return {
            int(token): raw_text(data) or f"⟨token {token}⟩"
            for token, data in zip(table["id"], table["bytes"], strict=True)
        }


def _ranges(where: str, numbers: Sequence[int]) -> str:
    if len(numbers) > 2 and list(numbers) == list(range(numbers[0], numbers[-1] + 1)):
        return f"{where}s {numbers[0]} to {numbers[-1]}"
    return (f"{where} " if len(numbers) == 1 else f"{where}s ") + ", ".join(str(number) for number in numbers)
