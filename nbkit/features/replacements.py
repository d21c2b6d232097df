"""A dataset example with one token replaced at a time, laid out as sequences for a model.

In a causal model the variants of an example differ from the replaced token on only. So `PACKED` makes one sequence of
them: the text up to the key token once and behind it, for each variant, the replaced token and what follows it up to
the key token. A 4-dimensional attention mask and position ids give each variant its own past, as in tree attention
(Miao et al. 2024). For a window of 21 tokens that is 231 tokens more than the text; 21 variants that share the text
before the window through a key-value cache take 441. `WHOLE_CONTEXTS` is for every other model: each variant is a whole
context.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

ORIGINAL = np.iinfo(np.int64).max
"""The variant that replaces nothing: its tokens stand before whatever another replaces."""


@dataclass(frozen=True, eq=False)
class Example:
    """A dataset example and the tokens of it that are replaced."""

    layer: int
    index: int
    """Of the neuron."""
    number: int
    """Of the example among the neuron's."""
    peak: float
    """The atlas's activation at the key token."""
    context: Int[np.ndarray, " length"]
    """Token ids of the whole context."""
    key: int
    """Position of the key token."""
    replaced: Int[np.ndarray, " variants"]
    """Positions that are replaced, ascending, none behind the key token."""


@dataclass(frozen=True, eq=False)
class Sequences:
    """The variants of some examples, ready for a model."""

    tokens: Int[Tensor, "b t"]
    keys: Sequence[tuple[Int[np.ndarray, " 1+variants"], Int[np.ndarray, " 1+variants"]]]
    """For each example the rows and columns of its key token in the variants, the original's first."""
    inputs: dict[str, Tensor] = field(default_factory=dict)
    """What else the model must be given, by name."""


@dataclass(frozen=True)
class Layout:
    """A way to lay examples out."""

    size: Callable[[Example], int]
    """Tokens that an example takes."""
    lay: Callable[[Sequence[Example], int, torch.dtype], Sequences]
    """Of examples, the mask token and the model's dtype."""


def _packed_size(example: Example) -> int:
    return example.key + 1 + int((example.key + 1 - example.replaced).sum())


def _packed(examples: Sequence[Example], mask_token: int, dtype: torch.dtype) -> Sequences:
    shape = len(examples), max(map(_packed_size, examples))
    tokens, position, variant = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.full(shape, -1, np.int64)
    keys = []
    for row, example in enumerate(examples):
        stop = example.key + 1
        parts = [np.arange(stop), *(np.arange(start, stop) for start in example.replaced)]
        ends = np.cumsum([len(part) for part in parts])
        filled = slice(ends[-1])
        position[row, filled] = np.concatenate(parts)
        variant[row, filled] = np.repeat([ORIGINAL, *example.replaced], [len(part) for part in parts])
        tokens[row, filled] = example.context[position[row, filled]]
        tokens[row, ends[:-1]] = mask_token
        keys.append((np.full(len(ends), row), ends - 1))
    positions, variants = torch.from_numpy(position), torch.from_numpy(variant)
    query, key = variants[:, :, None], variants[:, None]
    sees = (key == query) | ((key == ORIGINAL) & (positions[:, None] < query))  # padding sees padding
    sees &= positions[:, None] <= positions[:, :, None]
    attention = torch.zeros(sees.shape, dtype=dtype).masked_fill_(~sees, torch.finfo(dtype).min)[:, None]
    return Sequences(torch.from_numpy(tokens), keys, {"attention_mask": attention, "position_ids": positions})


def _whole_size(example: Example) -> int:
    return len(example.context) * (1 + len(example.replaced))


def _whole(examples: Sequence[Example], mask_token: int, dtype: torch.dtype) -> Sequences:
    tokens, keys, row = [], [], 0
    for example in examples:
        n = 1 + len(example.replaced)
        variants = np.tile(example.context, (n, 1))
        variants[np.arange(1, n), example.replaced] = mask_token
        tokens.append(variants)
        keys.append((np.arange(row, row + n), np.full(n, example.key)))
        row += n
    return Sequences(torch.from_numpy(np.concatenate(tokens)), keys)


PACKED = Layout(_packed_size, _packed)
WHOLE_CONTEXTS = Layout(_whole_size, _whole)
