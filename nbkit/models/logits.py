"""Which tokens a neuron promotes and suppresses: the direct effect of its output weights on the logits.

The usual direct logit attribution (nostalgebraist's logit lens, 2020; Elhage et al. 2021): what the neuron writes into
the residual stream goes through the final norm's scale and the unembedding, and an effect counts relative to the mean
over the vocabulary, since a logit that all tokens gain changes no probability. The paper shows such tokens and does not
define them.

Left out, so that the effects belong to the weights alone: the norms' division by the size of what they read, which is
one factor for all tokens at a time; what later layers make of the neuron's output; a cap or factor that the model puts
on its logits; the unembedding's bias. Values compare tokens for one activation of one neuron, not neurons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nbkit.models.weights import input_weight

if TYPE_CHECKING:
    from nbkit.models import LanguageModel

N_TOKENS = 10
EFFECTS_AT_ONCE = 2**23
"""32 MB in float32: the neurons of a layer pass in groups."""


@dataclass(frozen=True, eq=False)
class LogitEffects:
    """The tokens whose logits a neuron raises and lowers most, by its output weights; the strongest first."""

    promoted_ids: Int[np.ndarray, " k"]
    promoted: Float[np.ndarray, " k"]
    """Effect of an activation of 1, up to the norms' division, minus the mean over the vocabulary."""
    suppressed_ids: Int[np.ndarray, " k"]
    suppressed: Float[np.ndarray, " k"]


EFFECT_NAMES = tuple(field.name for field in fields(LogitEffects))


def direct_unembedding(model: LanguageModel) -> Float[Tensor, "n_tokens d_model"] | None:
    """The linear map from the residual stream to the logits of the tokenizer's tokens, relative to their mean.

    Final norm's scale, its centering if it is a LayerNorm, and unembedding in one matrix, in float32 on the model's
    device; a row for each of `model.token_ids`, since rows of the unembedding that no token owns say nothing.

    Returns:
        None if the model has no such map (see `nbkit.models.unembedding`).
    """
    found = model.unembedding
    if found is None:
        return None
    rows = input_weight(found.head)
    weights = rows[torch.from_numpy(model.token_ids).to(rows.device)].to(model.device).float()
    weights = weights * found.scale.scale.to(weights.device)
    if found.scale.centered:
        weights -= weights.mean(1, keepdim=True)
    weights -= weights.mean(0)
    return weights


def logit_effects(
    written: Float[Tensor, "n_units d_model"],
    unembedding: Float[Tensor, "n_tokens d_model"],
    token_ids: Int[np.ndarray, " n_tokens"],
) -> dict[str, Tensor]:
    """The effects of a site's units, as tensors (n_units, k) with the names of `LogitEffects`' fields.

    k is `N_TOKENS`, or all tokens of a smaller vocabulary.

    Args:
        written: what each unit adds to the residual stream at an activation of 1.
        unembedding: see `direct_unembedding`.
        token_ids: those of its rows.
    """
    ids = torch.from_numpy(token_ids).int().to(unembedding.device)
    found = []
    for rows in written.to(unembedding).split(max(1, EFFECTS_AT_ONCE // len(unembedding))):
        effects = rows @ unembedding.T
        strongest = [effects.topk(min(N_TOKENS, len(ids)), largest=largest) for largest in (True, False)]
        found.append([part for values, at in strongest for part in (ids[at], values)])
    return {name: torch.cat(parts).cpu() for name, parts in zip(EFFECT_NAMES, zip(*found, strict=True), strict=True)}


def read_effects(tensors: Mapping[str, Tensor], index: int) -> LogitEffects | None:
    """The effects of a neuron among those of its layer; None if the layer has none."""
    if EFFECT_NAMES[0] not in tensors:
        return None
    return LogitEffects(*(tensors[name][index].numpy() for name in EFFECT_NAMES))
