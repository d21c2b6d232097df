"""What a layer reads at tokens of contexts that are labeled by hand, without a model; contexts without labels."""

from __future__ import annotations

import numpy as np

from nbkit.corpora import Contexts
from nbkit.studies.shared.planted.labeled_contexts import LabeledContexts
from nbkit.studies.shared.planted.token_reads import TokenReads
from tests.examples.tiny_models import random_contexts

CONCEPTS = ("boats", "trees", "birds", "stones")
"""Each concept is a word, and its token's id; id 4 is any other word, id 5 no word."""


def labeled_by_hand(n: int = 400, length: int = 9, n_documents: int = 40, seed: int = 0) -> LabeledContexts:
    """Contexts in which one token in three is of a concept; position 0 is special."""
    rng = np.random.default_rng(seed)
    tokens = rng.choice(6, size=(n, length), p=[0.1, 0.1, 0.1, 0.05, 0.45, 0.2]).astype(np.int32)
    special = np.arange(length) == 0
    documents = np.sort(np.arange(n, dtype=np.int32) % n_documents)
    contexts = Contexts(tokens, documents, "by hand", special)
    word = np.array([*CONCEPTS, "any", ""], dtype=object)[tokens]
    tag = np.array(["nn", "nn", "vb", "vb", "in", ""], dtype=object)[tokens]
    nothing = np.zeros(tokens.shape, dtype=bool)
    place = np.broadcast_to(np.arange(length), tokens.shape)
    genre = np.where(documents % 4 < 2, "news", "fiction").astype(object)
    left = length - 1 - place
    return LabeledContexts(
        contexts, word, tag, genre, place, left, nothing, nothing, nothing, nothing, words=n, lost=0, in_pieces=0
    )


def reads_by_hand(labeled: LabeledContexts, noise: float = 0.2, d: int = 12, seed: int = 0) -> TokenReads:
    """Vectors that are a direction of the token's id, a constant, and noise."""
    rng = np.random.default_rng(seed)
    contexts = labeled.contexts
    context, position = np.nonzero(np.broadcast_to(~contexts.special, contexts.tokens.shape))
    directions = np.linalg.qr(rng.normal(size=(d, d)))[0][:6]
    read = directions[contexts.tokens[context, position]] + noise * rng.normal(size=(len(context), d)) + 0.5
    neurons = rng.normal(size=(7, d)).astype(np.float32)
    written = {i: f" {name}".encode() for i, name in enumerate([*CONCEPTS, "any", "."])}
    return TokenReads("by hand L0", labeled, read.astype(np.float32), context, position, neurons, written)


def unlabeled(n: int, *, last_special: bool) -> LabeledContexts:
    """Contexts of 12 random characters and special tokens, for tiny models."""
    contexts = random_contexts(n, 12, last_special=last_special)
    nothing, zeros = np.zeros((n, 12), dtype=bool), np.zeros((n, 12), dtype=int)
    words = np.full((n, 12), "", dtype=object)
    flags = dict.fromkeys(("quoted", "in_parentheses", "in_heading", "in_title"), nothing)
    return LabeledContexts(
        contexts, words, words, words[:, 0], place=zeros, left=zeros, words=0, lost=0, in_pieces=0, **flags
    )
