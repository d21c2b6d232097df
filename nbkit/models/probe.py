"""A few tokens to try a model on, and what decides which tokens it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor, nn

CONTEXT_NAMES = ("max_position_embeddings", "max_seq_len", "seq_length", "n_ctx")
CONTEXT = 2048
"""Longest context of a model that names none, having no positions to run out of."""


def owned_ids(tokenizer: Any, network: Any) -> Int[np.ndarray, " n"]:
    """The ids of the tokenizer's tokens that the embedding has a row for, ascending.

    An embedding may be padded, and a vocabulary may have holes: their rows belong to no token.
    """
    rows = int(network.get_input_embeddings().weight.shape[0])
    return np.unique(np.array([i for i in tokenizer.get_vocab().values() if i < rows], dtype=np.int64))


def context_length(network: Any) -> int:
    """The longest context that a network takes, in tokens."""
    config, tokens = network.config.get_text_config(), network.get_input_embeddings()
    named = (getattr(config, name, None) for name in CONTEXT_NAMES)
    given = next((length for length in named if length and length > 0), CONTEXT)
    for module in network.modules():
        # RoBERTa counts positions from behind the padding token's row.
        if isinstance(module, nn.Embedding) and module is not tokens and module.num_embeddings == given:
            return int(given - (-1 if module.padding_idx is None else module.padding_idx) - 1)
    return int(given)


def probe(ids: Int[np.ndarray, " n"], special: Sequence[int], n_ctx: int) -> Int[Tensor, "2 t"]:
    """Two random contexts of 16 tokens, or as many as a model takes, always the same, without special tokens."""
    ordinary = np.setdiff1d(ids, special)
    choice = torch.from_numpy(ordinary if len(ordinary) else ids)
    generator = torch.Generator().manual_seed(0)
    return choice[torch.randint(len(choice), (2, min(16, n_ctx)), generator=generator)]
