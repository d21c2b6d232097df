"""Fixed-length token contexts cut from a corpus."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int, Int32

from nbkit.corpora.added_tokens import AddedTokens
from nbkit.corpora.summary import CorpusSummary
from nbkit.files import distinct, parts


@dataclass(frozen=True, eq=False)
class Contexts:
    """Token contexts of one length, in corpus order."""

    tokens: Int32[np.ndarray, "n length"]
    """Token ids of the contexts."""
    documents: Int32[np.ndarray, " n"]
    """For each context the index of its document in the corpus, counted from 0; documents without text count too."""
    name: str
    """Name of the corpus: a known one, `hf:…`, the name of the file or folder, or "in memory"."""
    special: Bool[np.ndarray, " length"]
    """Positions that hold no text of the corpus to speak of: an added BOS, [CLS] or [SEP], and always position 0."""
    added: AddedTokens | None = None
    """Ids of the tokens that the tokenizer added before and after each text; None if that isn't known."""
    vocabulary_sha256: str | None = None
    """sha256 of the tokens and ids of the tokenizer that cut the contexts; None if that isn't known."""

    @cached_property
    def around(self) -> AddedTokens:
        """The tokens before and after each text: what the tokenizer added; where that isn't known, those of the special
        positions that hold one token in all contexts."""
        if self.added is not None:
            return self.added
        first = self.tokens[0]
        fixed = self.special & (len(self.tokens) > 1)
        for part in parts(self.tokens):
            fixed &= (part == first).all(0)
        before = len(first) if fixed.all() else int(fixed.argmin())
        after = 0 if fixed.all() else int(fixed[::-1].argmin())
        return AddedTokens(tuple(first[:before].tolist()), tuple(first[len(first) - after :].tolist()))

    @cached_property
    def ids(self) -> Int[np.ndarray, " n_ids"]:
        """The token ids that occur, ascending."""
        return distinct(self.tokens)

    summary: CorpusSummary | None = None
    """What was read and what was left out; None if `load_contexts` didn't make these contexts."""

    @cached_property
    def sha256(self) -> str:
        """Checksum of the tokens and their shape."""
        digest = hashlib.sha256(f"{self.tokens.shape[0]}x{self.tokens.shape[1]}:".encode())
        for part in parts(self.tokens):
            digest.update(np.ascontiguousarray(part, dtype="<i4").data)
        return digest.hexdigest()
