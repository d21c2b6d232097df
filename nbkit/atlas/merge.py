"""The merge step of a scan: what is kept of a layer's neurons, selected among the candidates of all blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nbkit.atlas.candidates import candidates, filled, rank_in_group
from nbkit.atlas.strongest import among_strongest

if TYPE_CHECKING:
    from nbkit.atlas.config import AtlasConfig


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
    source, row, counts, n_examples = _selected(blocks, layer, maximum, config)
    offsets = torch.cat([torch.zeros(1, dtype=torch.long), counts.cumsum(0)])
    merged: dict[str, Tensor] = {"offsets": offsets, "n_examples": n_examples}

    # Block by block into tensors of the final size: beside them only one block is in memory.
    places = [(source == index).nonzero()[:, 0] for index in range(len(blocks))]
    merged["vector"] = torch.empty(len(source), dtype=torch.int32)
    used: list[Tensor] = []
    n_vectors = 0
    for place, block in zip(places, blocks, strict=True):
        # A block's vectors lie in corpus order, so taking them block by block keeps that order.
        of_block, vector = block[f"{layer}.vector"][row[place]].unique(return_inverse=True)
        merged["vector"][place] = (vector + n_vectors).int()
        n_vectors += len(of_block)
        used.append(of_block.long())
    for name in ("context", "position", "activation", "window"):
        merged[name] = filled(blocks, f"{layer}.{name}", [row[place] for place in places], places)
    starts = np.cumsum([0, *(len(rows) for rows in used[:-1])])
    targets = [torch.arange(len(rows)) + int(start) for rows, start in zip(used, starts, strict=True)]
    merged["pre_mlp"] = filled(blocks, f"{layer}.pre_mlp", used, targets)
    return merged


def _selected(
    blocks: Sequence[Mapping[str, Tensor]], layer: int, maximum: Tensor, config: AtlasConfig
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The candidates that are kept, by neuron and then in corpus order.

    Returns:
        (kept,) the block of each, (kept,) its row there; (n_units,) how many are kept of each unit, and (n_units,) how
        many of them, the first, are its dataset examples.
    """
    source, row, neuron, activation = candidates(blocks, str(layer))
    reaches = (activation >= config.threshold * maximum[neuron.long()]).nonzero()[:, 0]
    order = reaches[neuron[reaches].argsort(stable=True)]
    first = rank_in_group(neuron[order]) < min(config.max_examples, len(order))
    kept = first | among_strongest(neuron[order], activation[order], config.max_examples)
    n_examples = torch.bincount(neuron[order[first]], minlength=len(maximum))
    order = order[kept]
    return source[order], row[order].long(), torch.bincount(neuron[order], minlength=len(maximum)), n_examples
