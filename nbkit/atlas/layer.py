"""Neurons as they are read from a layer's file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Int

from nbkit.atlas.levels import read_levels
from nbkit.atlas.manifest import Manifest, layer_file
from nbkit.atlas.neuron import InputWeights, Neuron
from nbkit.atlas.reads import Reads
from nbkit.atlas.seen import SeenImages
from nbkit.atlas.snippets import TOKENS_AFTER, TOKENS_BEFORE
from nbkit.atlas.strongest import Strongest, strongest_rows
from nbkit.atlas.tokens import token_positions
from nbkit.files import read_tensors
from nbkit.method.checks import have_direction
from nbkit.method.controls import other_units
from nbkit.models.logits import read_effects


class Scanned(Protocol):
    """What a layer needs of its atlas."""

    @property
    def path(self) -> Path:
        """Its folder."""

    @property
    def manifest(self) -> Manifest:
        """See `Atlas.manifest`."""

    @property
    def tokens(self) -> Int[np.ndarray, "n_contexts length"]:
        """Token ids."""

    @property
    def words(self) -> Int[np.ndarray, " n_ids"]:
        """See `Atlas.words`."""

    @property
    def raw_texts(self) -> Mapping[int, str]:
        """See `Atlas.raw_texts`."""

    def seen(self, layer: int) -> SeenImages | None:
        """See `Atlas.seen`."""


class Layer:
    """A layer's file, mapped into memory."""

    def __init__(self, atlas: Scanned, layer: int) -> None:
        self.atlas, self.site = atlas, atlas.manifest.site(layer)
        self.tensors = read_tensors(atlas.path / layer_file(layer))
        self.reads = Reads(self.tensors["pre_mlp"])

    def neuron(self, index: int) -> Neuron:
        tensors, manifest = self.tensors, self.atlas.manifest
        donor = int(self._donors[index])
        start, end = tensors["offsets"][index : index + 2].tolist()
        n = int(tensors["n_examples"][index])
        stop = start + n
        columns = {name: tensors[name][start:stop].numpy() for name in ("context", "position", "window")}
        tokens = self.atlas.tokens
        key_ids = tokens[columns["context"], token_positions(columns["position"], tokens.shape[1])]
        return Neuron(
            site=self.site,
            index=index,
            max_activation=float(tensors["maximum"][index]),
            context=columns["context"],
            position=columns["position"],
            peak=columns["window"][:, TOKENS_BEFORE],
            key_ids=key_ids,
            pre_mlp=tensors["pre_mlp"][tensors["vector"][start:stop].long()].float().numpy(),
            window=columns["window"],
            weights=self._weights(index),
            donor=None if donor < 0 else self._weights(donor),
            embedding=manifest.embedding,
            reads=self.reads,
            snippet_tokens=_SnippetTokens(self.atlas, columns["context"], columns["position"]),
            key_words=self.atlas.words[key_ids],
            levels=read_levels(tensors, index),
            strongest=self._strongest(start, end, n),
            logit_effects=read_effects(tensors, index),
            seen=self._seen,
            sign=manifest.sign,
        )

    @cached_property
    def _seen(self) -> SeenImages | None:
        return self.atlas.seen(self.site.number)

    def _strongest(self, start: int, end: int, n_examples: int) -> Strongest:
        """The strongest contexts of the neuron whose rows these are."""
        tensors = self.tensors
        rows = strongest_rows(tensors["activation"][start:end].numpy(), self.atlas.manifest.max_examples)
        at = torch.from_numpy(rows + start)
        window = tensors["window"][at].numpy()
        return Strongest(
            example=np.where(rows < n_examples, rows, -1),
            context=tensors["context"][at].numpy(),
            position=tensors["position"][at].numpy(),
            peak=window[:, TOKENS_BEFORE],
            window=window,
            pre_mlp=tensors["pre_mlp"][tensors["vector"][at].long()].float().numpy(),
        )

    @cached_property
    def _donors(self) -> Int[np.ndarray, " d_mlp"]:
        """For each neuron another one whose weights have a direction; -1 if there is none."""
        able = have_direction(self.tensors["w_in"].numpy())
        if "w_gate" in self.tensors:
            able &= have_direction(self.tensors["w_gate"].numpy())
        return other_units(len(able), self.atlas.manifest.seed, able) if len(able) > 1 else np.array([-1])

    def _weights(self, index: int) -> InputWeights:
        tensors = self.tensors
        plain = InputWeights(tensors["w_in"][index].numpy(), float(tensors["b_in"][index]))
        if "w_gate" not in tensors:
            return plain
        return InputWeights(plain.w_in, plain.b_in, tensors["w_gate"][index].numpy(), float(tensors["b_gate"][index]))


@dataclass(frozen=True)
class _SnippetTokens(Sequence[tuple[tuple[str, ...], int]]):
    """The raw texts of the tokens around each example's key token, looked up when they are read."""

    atlas: Scanned
    context: np.ndarray
    position: np.ndarray

    def __len__(self) -> int:
        return len(self.context)

    def __getitem__(self, i: int) -> tuple[tuple[str, ...], int]:  # type: ignore[override]
        position = min(int(self.position[i]), self.atlas.manifest.length - 1)
        start = max(0, position - TOKENS_BEFORE)
        ids = self.atlas.tokens[self.context[i], start : position + TOKENS_AFTER + 1]
        table = self.atlas.raw_texts
        return tuple(table[token] for token in ids.tolist()), position - start
