"""Whether contexts are of a model's tokens, and which tokens stand around their text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nbkit.corpora.added_tokens import vocabulary_sha256
from nbkit.errors import NbkitError

if TYPE_CHECKING:
    from nbkit.corpora import Contexts
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
