"""The contexts of an atlas, again from what was kept of them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int, Int32

from nbkit.atlas.manifest import Manifest
from nbkit.corpora import Contexts
from nbkit.corpora.added_tokens import AddedTokens


def token_positions(position: Int[np.ndarray, ...], length: int) -> Int[np.ndarray, ...]:
    """Where the tokens stand that stand for positions: an input of one token, as an image, has it at all of them."""
    places: Int[np.ndarray, ...] = np.minimum(position, length - 1)
    return places


def contexts_of(
    manifest: Manifest, tokens: Int32[np.ndarray, "n length"], documents: Int32[np.ndarray, " n"]
) -> Contexts:
    """The contexts that an atlas was made of; positions without text are those of the tokens that the tokenizer added,
    and the first, as `load_contexts` has it."""
    around = (manifest.added_before, manifest.added_after)
    added = AddedTokens(*(tuple(token for token, _ in tokens) for tokens in around))
    special = np.zeros(manifest.length, dtype=np.bool_)
    special[: max(len(added.before), 1)] = True
    special[manifest.length - len(added.after) :] = True
    return Contexts(tokens, documents, manifest.corpus, special, added)
