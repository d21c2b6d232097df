"""One neuron of an atlas: its dataset examples, their embeddings in any space, and their clusters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from nbkit.atlas.levels import Level
from nbkit.atlas.quadrants import quadrants
from nbkit.atlas.reads import Reads
from nbkit.atlas.seen import SeenImages
from nbkit.atlas.snippets import TOKENS_BEFORE, Snippet
from nbkit.atlas.strongest import NOT_KNOWN, Strongest
from nbkit.errors import NbkitError
from nbkit.method.checks import have_direction, shown
from nbkit.method.clusters import PAPER_CUT, FeatureClusters, feature_clusters
from nbkit.method.embeddings import (
    gated_gradient_embeddings,
    gated_weights,
    gradient_embeddings,
    neuron_embeddings,
)
from nbkit.models import activation_function
from nbkit.models.logits import LogitEffects
from nbkit.models.sign import Sign
from nbkit.models.site import CENTERED, Site, embedding_kinds, paper_kind


@dataclass(frozen=True, eq=False)
class InputWeights:
    """The weights with which a neuron reads the vector it receives."""

    w_in: Float[np.ndarray, " d"]
    """Input weights; of a gated neuron those of its linear (`up`) branch."""
    b_in: float
    w_gate: Float[np.ndarray, " d"] | None = None
    """Gate weights of a gated neuron."""
    b_gate: float = 0.0

    def embed(self, pre_mlp: Float[np.ndarray, "n d"], kind: str, activation: str) -> Float[np.ndarray, "n d"]:
        """Embeddings of the vectors `pre_mlp`: `input` and `up` are equation 1, `gate` the same with the gate weights,
        `gradient` the vector times the gradient of the neuron's activation with respect to it.

        They are the same for an activation below zero: its gradient is not turned around to be that of its strength.
        Within one sign the distances would not change. But take two vectors that differ in the side of zero alone on
        which a gated neuron's `up` branch lies: one pushes it up and one down. As it is their embeddings are opposite,
        and cluster apart; turned around they would coincide. And a vector has one embedding, whatever is looked for.
        """
        if kind == "gradient":
            function = activation_function(activation)
            if self.w_gate is None:
                return gradient_embeddings(pre_mlp, self.w_in, self.b_in, function)
            return gated_gradient_embeddings(
                pre_mlp, self.w_gate, self.w_in, function, b_gate=self.b_gate, b_in=self.b_in
            )
        weights = self.w_gate if kind == "gate" else self.w_in
        assert weights is not None
        embedded: Float[np.ndarray, "n d"] = neuron_embeddings(pre_mlp, weights)
        return embedded

    def on_the_whole(self, pre_mlp: Float[np.ndarray, "n d"], activation: str) -> Float[np.ndarray, " d"]:
        """One vector of weights for all of some vectors: the input weights, of a gated neuron `gated_weights`."""
        if self.w_gate is None:
            return self.w_in
        function = activation_function(activation)
        return gated_weights(pre_mlp, self.w_gate, self.w_in, function, b_gate=self.b_gate, b_in=self.b_in)

    def quadrants(self, pre_mlp: Float[np.ndarray, "n d"]) -> Shaped[np.ndarray, " n"] | None:
        """For each vector the one of `QUADRANTS` in which gate and `up` branch lie; None if the neuron is not gated."""
        if self.w_gate is None:
            return None
        vectors = pre_mlp.astype(np.float64)
        return quadrants(vectors @ self.w_gate + self.b_gate, vectors @ self.w_in + self.b_in)

    def activations(self, pre_mlp: Float[Tensor, "... d"], activation: str) -> Float[Tensor, ...]:
        """The neuron's activations on the vectors it receives, in their number format.

        Args:
            pre_mlp: (..., d).
            activation: name of the activation function.
        """
        function = activation_function(activation)
        linear = pre_mlp @ torch.from_numpy(self.w_in).to(pre_mlp) + self.b_in
        if self.w_gate is None:
            return function(linear)
        return function(pre_mlp @ torch.from_numpy(self.w_gate).to(pre_mlp) + self.b_gate) * linear


@dataclass(frozen=True, eq=False)
class Neuron:
    """A neuron, or a latent or unit of another kind, and its n dataset examples. Read from an atlas with
    `Atlas.neuron`."""

    site: Site
    """Place in the model where the neuron is: its layer's MLP, or another site."""
    index: int
    """Number of the neuron at its site, 0-based."""
    max_activation: float
    """The maximum that the threshold refers to, over the scanned corpus or as given: the largest strength (see
    `nbkit.models.sign`) if `sign` isn't positive. NaN if an activation is not finite; then there are no examples."""
    context: Int[np.ndarray, " n"]
    """The context of each example, in corpus order."""
    position: Int[np.ndarray, " n"]
    """Place of each example's key token in its context, 0-based."""
    peak: Float[np.ndarray, " n"]
    """The neuron's activation at each example's key token; below zero if `sign` says so."""
    key_ids: Int[np.ndarray, " n"]
    """Token id of each example's key token."""
    pre_mlp: Float[np.ndarray, "n d"]
    """The vectors that the neuron receives at the key tokens."""
    window: Float[np.ndarray, "n window"]
    """The neuron's activations from 20 tokens before each key token to 10 after; 0 outside the context."""
    weights: InputWeights
    """Weights with which the neuron reads the vectors that it receives, and biases."""
    donor: InputWeights | None
    """Weights of another neuron of the layer, drawn with the atlas's seed: the `shuffled` control. None if there is
    no other, or all others' weights are zeros."""
    embedding: str
    """The atlas's default kind of embedding."""
    reads: Reads
    """What the neurons of its site receive on the whole."""
    snippet_tokens: Sequence[tuple[tuple[str, ...], int]]
    """For each example the raw texts (see `token_bytes`) of its window's tokens and the key token's index among
    them."""
    levels: tuple[Level, ...] = ()
    """Bands of the contexts' peak activations, strongest first, with examples of each (see `Level`): of all that
    was measured, whatever the threshold and the maximum. Empty if the neuron was never active."""
    strongest: Strongest = NOT_KNOWN
    """The contexts of strongest activation, of the whole corpus; none if they are not known."""
    logit_effects: LogitEffects | None = None
    """Tokens that the neuron promotes and suppresses (see `LogitEffects`); None if the model has no unembedding that
    its output goes to."""
    key_words: Int[np.ndarray, " n"] | None = None
    """Numbers of the key tokens' words (see `Atlas.words`)."""
    seen: SeenImages | None = None
    """The images that the contexts are, of an atlas of images."""
    sign: Sign = "positive"
    """Which activations were looked for (see `nbkit.models.sign`)."""

    def __len__(self) -> int:
        return len(self.context)

    @property
    def layer(self) -> int:
        """Number of the neuron's site; of an MLP neuron that of its layer, 0-based."""
        return self.site.number

    @property
    def activation(self) -> str:
        """Name of the activation function."""
        return self.site.activation

    @property
    def name(self) -> str:
        """Short name of the neuron: `L12 N521`, or for a latent `S0 #521`."""
        return self.site.named(self.index)

    @property
    def title(self) -> str:
        """Name of the neuron in titles: `Layer 12, neuron 521`."""
        return self.site.titled(self.index)

    def __repr__(self) -> str:
        return f"Neuron({self.name}, {len(self)} examples, max {self.max_activation:.3g})"

    @cached_property
    def examples(self) -> pd.DataFrame:
        """n rows in corpus order: `context`, `position` of the key token, `activation` there."""
        return pd.DataFrame({"context": self.context, "position": self.position, "activation": self.peak})

    @property
    def w_in(self) -> Float[np.ndarray, " d"]:
        """Input weights; of a gated neuron those of its linear (`up`) branch."""
        return self.weights.w_in

    @property
    def w_gate(self) -> Float[np.ndarray, " d"] | None:
        """Gate weights of a gated neuron."""
        return self.weights.w_gate

    @property
    def quadrants(self) -> Shaped[np.ndarray, " n"]:
        """For each example the one of `QUADRANTS` in which it lies.

        Raises:
            NbkitError: if the neuron is not gated.
        """
        found = self.weights.quadrants(self.pre_mlp)
        if found is None:
            raise NbkitError(f"{self.name} has no quadrants: it is not gated")
        return found

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of embedding that are defined for this neuron."""
        kinds = embedding_kinds([self.site])
        return tuple(kind for kind in kinds if kind != "shuffled" or self.donor is not None)

    @property
    def weighed(self) -> str:
        """A kind of embedding that is a product with weights: the atlas's default, or if that has none the paper's."""
        return paper_kind(self.kinds) if self.embedding == CENTERED else self.embedding

    def embeddings(self, kind: str | None = None) -> Float[np.ndarray, "n d"]:
        """The examples' embeddings (equation 2).

        Args:
            kind: one of `kinds`; None is the atlas's default. `pre_mlp` is the vector by itself, `centered` the vector
                minus the mean of what the site receives (`Atlas.mean_read`), `shuffled` the kind `weighed` with another
                neuron's weights.

        Raises:
            NbkitError: if the kind is not defined for this neuron.
        """
        return self.embed(self.pre_mlp, kind)

    def embed(self, received: Float[np.ndarray, "m d"], kind: str | None = None) -> Float[np.ndarray, "m d"]:
        """The embeddings of any vectors that the neuron receives; see `embeddings`."""
        kind = self.embedding if kind is None else kind
        if not isinstance(kind, str) or kind not in self.kinds:
            raise NbkitError(f"{self.name} has no {shown(kind)} embedding: choose {', '.join(self.kinds)}")
        if kind == "pre_mlp":
            return received
        if kind == CENTERED:
            centered: Float[np.ndarray, "m d"] = (received - self.reads.mean).astype(received.dtype)
            return centered
        if kind == "shuffled" and self.donor is not None:
            return self.donor.embed(received, self.weighed, self.activation)
        return self.weights.embed(received, kind, self.activation)

    def has_direction(self, kind: str | None = None) -> bool:
        """Whether every example's embedding has a direction, so that distances are defined.

        A neuron whose weights are zeros, as of one that was pruned, has embeddings of zeros: no clusters, and NaN in
        the tables of metrics. A kind that is not defined for the neuron has no direction either.

        Args:
            kind: see `embeddings`.
        """
        return (kind or self.embedding) in self.kinds and bool(have_direction(self.embeddings(kind)).all())

    def clusters(
        self, threshold: float | None = None, kind: str | None = None, method: str = "average"
    ) -> FeatureClusters:
        """Feature clusters of the examples (section 3.2).

        Args:
            threshold: distance in (0, 1] at which the tree is cut; None for `cut(kind)`.
            kind: see `embeddings`.
            method: see `nbkit.feature_clusters`.

        Raises:
            NbkitError: if the neuron has no examples, an embedding has no direction, or an argument is out of range.
        """
        if not len(self):
            raise NbkitError(
                f"{self.name} has no dataset examples: its activations are not finite"
                if np.isnan(self.max_activation)
                else f"{self.name} has no dataset examples: it was never active on this corpus, or the maximum that it "
                "was given is out of its reach"
            )
        embeddings = self.embeddings(kind)
        if not (directed := have_direction(embeddings)).all():
            raise NbkitError(
                f"{self.name} has no clusters of the {kind or self.embedding!r} embedding: that of example "
                f"{directed.argmin()} has no direction, since its numbers are all zeros or not finite; a neuron whose "
                "weights are zeros has no other"
            )
        return feature_clusters(embeddings, self.cut(kind) if threshold is None else threshold, method)

    def cut(self, kind: str | None = None) -> float:
        """The distance at which the tree of the neuron's embeddings is cut, unless another is asked for: the paper's
        0.5; of `centered` vectors one that chance tells (see `Reads.cut`)."""
        return self.reads.cut if (kind or self.embedding) == CENTERED else PAPER_CUT

    @cached_property
    def snippets(self) -> list[Snippet]:
        """The n examples as text with activations."""
        snippets = []
        words = np.zeros(len(self), dtype=int) if self.key_words is None else self.key_words
        rows = zip(self.snippet_tokens, self.window, self.context, self.position, words, strict=True)
        for (texts, key), window, context, position, word in rows:
            start = TOKENS_BEFORE - key
            values = window[start : start + len(texts)].tolist()
            snippets.append(Snippet.of(texts, values, key, int(context), int(position), int(word), self.sign))
        return snippets
