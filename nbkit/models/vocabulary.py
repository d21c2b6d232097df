"""The vocabulary of a tokenizer: which one it is, and what each of its tokens writes, as a table."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from nbkit.models.token_bytes import special_ids, token_bytes


def vocabulary_sha256(tokenizer: Any) -> str:
    """Checksum of a tokenizer's tokens and their ids: two that agree in it mean the same by an id."""
    listed = sorted((index, token) for token, index in tokenizer.get_vocab().items())
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def vocabulary_table(tokenizer: Any, ids: Int[np.ndarray, " n_ids"]) -> pd.DataFrame:
    """Of each token its `id`, its `text`, in which U+FFFD stands for what is part of no whole character, the `bytes`
    that it writes (see `token_bytes`), and whether it is `special`, and so stands for no text."""
    special = np.isin(ids, list(special_ids(tokenizer)))
    written = token_bytes(tokenizer, ids)
    texts = [data.decode("utf-8", "replace") for data in written]
    return pd.DataFrame({"id": ids, "text": texts, "bytes": written, "special": special})
