"""What the MLP of a layer reads at every token of some contexts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from nbkit.atlas.snippets import TOKENS_AFTER, TOKENS_BEFORE
from nbkit.method.truth.unit import Background, Text
from nbkit.models import LanguageModel
from nbkit.models.token_bytes import token_bytes
from nbkit.models.weights import as_float
from nbkit.studies.ground_truth.labeled_contexts import LabeledContexts

VECTORS_A_TEXT = 8
"""Vectors that an example's text holds: its key token's, and those before it."""
BACKGROUND = 20_000
"""Vectors of the background."""
CONTEXTS_AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class TokenReads:
    """What a layer's MLP reads at the tokens of labeled contexts, special positions left out, in corpus order."""

    group: str
    """The model and the layer."""
    labeled: LabeledContexts
    read: Float[np.ndarray, "n d"]
    """The vector at each token, float32."""
    context: Int[np.ndarray, " n"]
    """Of each token the number of its context."""
    position: Int[np.ndarray, " n"]
    """And its position there."""
    neurons: Float[np.ndarray, "m d"]
    """The weights with which each of the layer's neurons reads; a gated one's gate, which decides whether it opens."""
    written: Mapping[int, bytes]
    """What each token that occurs writes, by id."""
    seed: int = 0
    """Of the background's draw."""

    @cached_property
    def background(self) -> Background:
        """Vectors of tokens drawn at random, one object for all units of the layer."""
        drawn = np.random.default_rng(self.seed).permutation(len(self.read))[:BACKGROUND]
        return Background(self.read[np.sort(drawn)])

    @property
    def document(self) -> Int[np.ndarray, " n"]:
        """Of each token the number of its document."""
        documents: Int[np.ndarray, " n"] = self.labeled.contexts.documents[self.context]
        return documents

    @property
    def token(self) -> Int[np.ndarray, " n"]:
        """Its id."""
        tokens: Int[np.ndarray, " n"] = self.labeled.contexts.tokens[self.context, self.position]
        return tokens

    def of(self, label: Shaped[np.ndarray, "contexts ..."]) -> Shaped[np.ndarray, " n"]:
        """A label of the contexts at each token: of (contexts, length), or one for each context."""
        each: Shaped[np.ndarray, " n"] = label[self.context] if label.ndim == 1 else label[self.context, self.position]
        return each

    def text(self, rows: Int[np.ndarray, " k"]) -> Text:
        """The text of some tokens as key tokens: their ids, up to 20 tokens before and 10 behind as a string, and the
        vectors of the last `VECTORS_A_TEXT` tokens."""
        tokens, special = self.labeled.contexts.tokens, self.labeled.contexts.special
        snippets = []
        for row, at in zip(self.context[rows], self.position[rows], strict=True):
            around = np.arange(max(0, at - TOKENS_BEFORE), min(len(special), at + TOKENS_AFTER + 1))
            written = b"".join(self.written[i] for i in tokens[row, around[~special[around]]].tolist())
            snippets.append(written.decode("utf-8", "replace").strip())
        before = rows[:, None] - np.arange(VECTORS_A_TEXT)[::-1]  # (k, VECTORS_A_TEXT)
        inside = (before >= 0) & (self.context[before] == self.context[rows][:, None])
        return Text(self.token[rows], tuple(snippets), np.where(inside[..., None], self.read[before], np.float32(0)))


def read_layers(
    model: LanguageModel, labeled: LabeledContexts, layers: Sequence[int], seed: int = 0
) -> list[TokenReads]:
    """Run contexts through a model once and keep what each of some layers' MLPs reads, in float32: 4 bytes for each
    layer, token and coordinate.

    Args:
        labeled: contexts of the model's tokens.
        layers: their numbers.
        seed: of the backgrounds.

    Raises:
        NbkitError: the contexts are another model's, or a layer does not exist.
    """
    contexts = labeled.contexts
    model.check_contexts(contexts)
    context, position = np.nonzero(np.broadcast_to(~contexts.special, contexts.tokens.shape))
    text = torch.from_numpy(~contexts.special).to(model.device)
    n = int(text.sum())  # tokens of text in a context
    read = {layer: np.empty((len(context), model.d_model), dtype=np.float32) for layer in layers}
    first = 0

    def keep(layer: int, vectors: Tensor, _: Tensor) -> None:
        there = as_float(vectors[:, text]).reshape(-1, model.d_model)
        read[layer][first * n : first * n + len(there)] = there.numpy()

    with model.captured(sorted(layers), keep) as run:
        for first in range(0, len(contexts.tokens), CONTEXTS_AT_ONCE):
            run(torch.tensor(contexts.tokens[first : first + CONTEXTS_AT_ONCE]))
    ids = np.unique(contexts.tokens).tolist()
    written = dict(zip(ids, token_bytes(model.tokenizer, ids), strict=True))
    return [
        TokenReads(
            f"{model.name} L{layer}", labeled, read[layer], context, position, _neurons(model, layer), written, seed
        )
        for layer in layers
    ]


def held_out(documents: Int[np.ndarray, " n"], seed: int = 0) -> Bool[np.ndarray, " n"]:
    """Whether each of some documents is in the half that probes are not trained on: one of every two neighbors, which
    mostly are of one genre, drawn at random."""
    drawn = np.random.default_rng(seed).integers(0, 2, documents.max(initial=0) // 2 + 1)
    held: Bool[np.ndarray, " n"] = documents % 2 == drawn[documents // 2]
    return held


def _neurons(model: LanguageModel, layer: int) -> Float[np.ndarray, "m d"]:
    weights = model.neuron_weights(layer)
    return as_float(weights.w_in if weights.w_gate is None else weights.w_gate).numpy()
