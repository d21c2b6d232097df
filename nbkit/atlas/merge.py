"""The merge step of a scan: what is kept of a layer's neurons, selected among the candidates of all blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from nbkit.atlas.candidates import Candidates, filled, rank_in_group, selected
from nbkit.atlas.strongest import among_strongest

if TYPE_CHECKING:
    from nbkit.atlas.config import AtlasConfig

ROWS = 1 << 31
"""More than a block has."""


def merge_layer(
    blocks: Sequence[Mapping[str, Tensor]], layer: int, maximum: Float[Tensor, " n_units"], config: AtlasConfig
) -> dict[str, Tensor]:
    """The dataset examples of one site, and the strongest contexts that are none of them.

    Args:
        blocks: the results of all blocks in corpus order; only the tensors of the site `layer` are read from each.
        maximum: the neurons' maximum strengths over the corpus, or those given; NaN for a neuron that gets no
            examples, since an activation of it is not finite.

    Returns:
        `offsets` (n_units + 1,): what is kept of neuron j are rows offsets[j] to offsets[j + 1], in corpus order, of
        `context`, `position`, `activation` (a strength), `window` and `vector`, a row of `pre_mlp`, in corpus order.
        The first `n_examples` (n_units,) of them are its dataset examples; behind those stand the ones that are among
        its strongest (see `nbkit.atlas.strongest`) and come too late in the corpus to be examples.
    """

    def select(some: Candidates) -> Tensor:
        reaches = (some.activation >= config.threshold * maximum[some.neuron.long()]).nonzero()[:, 0]
        order = reaches[some.neuron[reaches].argsort(stable=True)]
        first = rank_in_group(some.neuron[order]) < config.max_examples
        return order[first | among_strongest(some.neuron[order], some.activation[order], config.max_examples)]

    kept = selected(blocks, str(layer), select)
    counts = torch.bincount(kept.neuron, minlength=len(maximum))
    vector = filled(blocks, f"{layer}.vector", kept.source, kept.row)
    # A block's vectors lie in corpus order, so taking them block by block keeps that order.
    used, place = (kept.source.long() * ROWS + vector).unique(return_inverse=True)
    return {
        "offsets": torch.cat([torch.zeros(1, dtype=torch.long), counts.cumsum(0)]),
        "n_examples": counts.clamp(max=config.max_examples),
        "vector": place.int(),
        "pre_mlp": filled(blocks, f"{layer}.pre_mlp", used // ROWS, used % ROWS),
        **{
            name: filled(blocks, f"{layer}.{name}", kept.source, kept.row)
            for name in ("context", "position", "activation", "window")
        },
    }
