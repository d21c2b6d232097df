"""The contexts in which a neuron is most active, wherever in the corpus they stand.

The dataset examples are the first in corpus order that reach the threshold; of a neuron that has more than
`max_examples` of them the strongest may come later. They are candidates of the scan all the same: a context is dropped
if `max_examples` earlier ones reach its activation, and then it is not among the `N_STRONGEST` strongest either, which
are no more than that. So the merge picks them, and the scan does nothing for it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nbkit.atlas.candidates import rank_in_group
from nbkit.atlas.snippets import WINDOW

N_STRONGEST = 10


@dataclass(frozen=True, eq=False)
class Strongest:
    """The m contexts of largest peak strength (see `nbkit.models.sign`) among all that reach the threshold, the largest
    first, equal ones in corpus order; m is at most 10, and at most `AtlasConfig.max_examples`."""

    example: Int[np.ndarray, " m"]
    """Which of the neuron's dataset examples it is; -1 if it is none of them."""
    context: Int[np.ndarray, " m"]
    position: Int[np.ndarray, " m"]
    """Of the peak in its context."""
    peak: Float[np.ndarray, " m"]
    """The activation there."""
    window: Float[np.ndarray, "m window"]
    """Activations from 20 tokens before the peak to 10 after; 0 outside the context."""
    pre_mlp: Float[np.ndarray, "m d"]
    """The vectors that the neuron receives at the peaks."""


NOT_KNOWN = Strongest(
    example=np.empty(0, dtype=np.int64),
    context=np.empty(0, dtype=np.int32),
    position=np.empty(0, dtype=np.int32),
    peak=np.empty(0, dtype=np.float32),
    window=np.empty((0, WINDOW), dtype=np.float32),
    pre_mlp=np.empty((0, 0), dtype=np.float32),
)
"""Of a neuron whose strongest contexts nobody looked for."""


def among_strongest(
    neuron: Int[Tensor, " n"], activation: Float[Tensor, " n"], max_examples: int
) -> Bool[Tensor, " n"]:
    """Which of the contexts that reach their neuron's threshold are its strongest.

    Args:
        neuron: (n,) sorted, and in corpus order within a neuron.
        activation: (n,) their peak strengths.
        max_examples: of the atlas.
    """
    order = activation.argsort(descending=True, stable=True)
    order = order[neuron[order].argsort(stable=True)]
    chosen = torch.zeros(len(neuron), dtype=torch.bool)
    chosen[order[rank_in_group(neuron[order]) < min(N_STRONGEST, max_examples)]] = True
    return chosen


def strongest_rows(strength: Float[np.ndarray, " n"], max_examples: int) -> Int[np.ndarray, " m"]:
    """The rows of a neuron's strongest contexts among all that are kept of it, in corpus order; the strongest first."""
    rows: Int[np.ndarray, " n"] = np.argsort(-strength, kind="stable")
    return rows[: min(N_STRONGEST, max_examples)]
