"""What the MLP of a layer reads at every token of some contexts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from nbkit.atlas.snippets import TOKENS_AFTER, TOKENS_BEFORE
from nbkit.corpora import Contexts
from nbkit.method.truth.unit import Background, Text
from nbkit.models import LanguageModel
from nbkit.models.token_bytes import token_bytes
from nbkit.models.weights import as_float
from nbkit.studies.shared.planted.around import Around, read_around
from nbkit.studies.shared.planted.labeled_contexts import LabeledContexts
from nbkit.studies.shared.planted.neurons_before import NeuronsBefore, neurons_before

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
    previous: TokenReads | None = None
    """Of the layer before; None of the first, or where it was not asked for."""
    before: NeuronsBefore | None = None
    """The neurons of the layer before; None where they don't write into what this layer reads, or were not asked
    for."""
    around: Around | None = None
    """What is around the vectors, in some of the contexts; None where it was not asked for."""

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
        """The text of some tokens as key tokens: their ids, up to 20 tokens before and 10 behind as a string, the
        vectors of the last `VECTORS_A_TEXT` tokens, and what is around them.

        Raises:
            NbkitError: what is around the vectors was read in other contexts.
        """
        tokens, special = self.labeled.contexts.tokens, self.labeled.contexts.special
        snippets = []
        for row, at in zip(self.context[rows], self.position[rows], strict=True):
            around = np.arange(max(0, at - TOKENS_BEFORE), min(len(special), at + TOKENS_AFTER + 1))
            written = b"".join(self.written[i] for i in tokens[row, around[~special[around]]].tolist())
            snippets.append(written.decode("utf-8", "replace").strip())
        before = rows[:, None] - np.arange(VECTORS_A_TEXT)[::-1]  # (k, VECTORS_A_TEXT)
        inside = (before >= 0) & (self.context[before] == self.context[rows][:, None])
        window = np.where(inside[..., None], self.read[before], np.float32(0))
        read = None if self.previous is None else self.previous.read[rows]
        of_previous = None if read is None or self.previous is None else read - self.previous.background.mean
        neurons = None if read is None or self.before is None else self.before.at(read)
        place = rows % int((~special).sum())  # all contexts have as many tokens of text
        beside = (None, None) if self.around is None else self.around.at(self.context[rows], place)
        return Text(self.token[rows], tuple(snippets), window, of_previous, *beside, neurons_before=neurons)


def read_layers(
    model: LanguageModel,
    labeled: LabeledContexts,
    layers: Sequence[int],
    seed: int = 0,
    around: Bool[np.ndarray, " contexts"] | None = None,
) -> list[TokenReads]:
    """Run contexts through a model once and keep what each of some layers' MLPs reads, in float32: 4 bytes for each
    layer, token and coordinate. With `around` the layers before them are kept as well, and some contexts are run again.

    Args:
        labeled: contexts of the model's tokens.
        layers: their numbers.
        seed: of the backgrounds.
        around: which contexts are read with what is around the vectors, see `read_around`; None for none.

    Raises:
        NbkitError: the contexts are another model's, or a layer does not exist.
    """
    contexts = labeled.contexts
    before = () if around is None else (layer - 1 for layer in layers if layer > 0)
    read = layer_vectors(model, contexts, sorted({*layers, *before}))
    context, position = np.nonzero(np.broadcast_to(~contexts.special, contexts.tokens.shape))
    ids = np.unique(contexts.tokens).tolist()
    written = dict(zip(ids, token_bytes(model.tokenizer, ids), strict=True))
    plain = {
        layer: TokenReads(
            f"{model.name} L{layer}", labeled, vectors, context, position, _neurons(model, layer), written, seed
        )
        for layer, vectors in read.items()
    }
    if around is None:
        return [plain[layer] for layer in layers]
    found = read_around(model, contexts, np.flatnonzero(around), {layer: read[layer] for layer in layers})
    return [
        replace(
            plain[layer],
            previous=plain.get(layer - 1),
            before=neurons_before(model, contexts, layer),
            around=found[layer],
        )
        for layer in layers
    ]


def layer_vectors(
    model: LanguageModel, contexts: Contexts, layers: Sequence[int]
) -> dict[int, Float[np.ndarray, "n d"]]:
    """What each of some layers' MLPs reads at the tokens of contexts, special positions left out, in float32.

    Raises:
        NbkitError: the contexts are another model's, or a layer does not exist.
    """
    model.check_contexts(contexts)
    text = torch.from_numpy(~contexts.special).to(model.device)
    n = int(text.sum())  # tokens of text in a context
    read = {layer: np.empty((n * len(contexts.tokens), model.d_model), dtype=np.float32) for layer in layers}
    first = 0

    def keep(layer: int, vectors: Tensor, _: Tensor) -> None:
        there = as_float(vectors[:, text]).reshape(-1, model.d_model)
        read[layer][first * n : first * n + len(there)] = there.numpy()

    with model.captured(tuple(read), keep) as run:
        for first in range(0, len(contexts.tokens), CONTEXTS_AT_ONCE):
            run(torch.tensor(contexts.tokens[first : first + CONTEXTS_AT_ONCE]))
    return read


def held_out(documents: Int[np.ndarray, " n"], seed: int = 0) -> Bool[np.ndarray, " n"]:
    """Whether each of some documents is in the half that probes are not trained on: one of every two neighbors, which
    mostly are of one genre, drawn at random."""
    drawn = np.random.default_rng(seed).integers(0, 2, documents.max(initial=0) // 2 + 1)
    held: Bool[np.ndarray, " n"] = documents % 2 == drawn[documents // 2]
    return held


def _neurons(model: LanguageModel, layer: int) -> Float[np.ndarray, "m d"]:
    weights = model.neuron_weights(layer)
    return as_float(weights.w_in if weights.w_gate is None else weights.w_gate).numpy()
