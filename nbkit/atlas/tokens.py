"""The contexts of an atlas: whether they are of a model's tokens, which tokens stand around their text, and the
contexts again from what was kept of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int32

from nbkit.atlas.manifest import Manifest
from nbkit.corpora import Contexts
from nbkit.corpora.added_tokens import AddedTokens, vocabulary_sha256
from nbkit.errors import NbkitError

if TYPE_CHECKING:
    from nbkit.models import LanguageModel


def check_tokens(model: LanguageModel, contexts: Contexts) -> None:
    """Raises `NbkitError` unless the contexts hold ids of the model's tokens, and were cut with its tokenizer."""
    if contexts.vocabulary_sha256 not in (None, vocabulary_sha256(model.tokenizer)):
        raise NbkitError(
            f"the contexts of {contexts.name} were cut with another tokenizer than that of model {model.name!r}: make "
            "them with load_contexts(…, model)"
        )
    foreign = np.setdiff1d(contexts.tokens, model.token_ids)
    if len(foreign):
        raise NbkitError(
            f"the contexts of {contexts.name} hold token id {foreign[0]}, and model {model.name!r} has no such token: "
            f"it has {len(model.token_ids)}, ids {model.token_ids[0]} to {model.token_ids[-1]}"
        )


def named(model: LanguageModel, ids: tuple[int, ...]) -> tuple[tuple[int, str], ...]:
    """Token ids with what the tokenizer calls them."""
    return tuple(zip(ids, model.tokenizer.convert_ids_to_tokens(list(ids)), strict=True))


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
