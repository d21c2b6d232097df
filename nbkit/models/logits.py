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
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nbkit.models.language_model import ROUNDING
from nbkit.models.weights import as_float, relative_error

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


def direct_unembedding(model: LanguageModel) -> Float[Tensor, "vocabulary d_model"] | None:
    """The linear map from the residual stream to the logits of the tokenizer's tokens, relative to their mean.

    Final norm's scale, its centering if it is a LayerNorm, and unembedding in one matrix, in float32 on the model's
    device.

    Returns:
        None if the model has no such map: no unembedding, something between norm and unembedding, or blocks that
        don't add their MLP's output to a residual stream.
    """
    head, norm = (getattr(model.bridge, name, None) for name in ("unembed", "ln_final"))
    if head is None or norm is None or not _is_direct(model, norm):
        return None
    weights: Tensor = head.original_component.weight[: len(model.tokenizer)].detach().float()
    weights = weights * model.norm_weights(norm).scale.to(weights.device)
    if not model.bridge.cfg.uses_rms_norm:
        weights -= weights.mean(1, keepdim=True)
    weights -= weights.mean(0)
    return weights


def logit_effects(
    model: LanguageModel, layer: int, unembedding: Float[Tensor, "vocabulary d_model"]
) -> dict[str, Tensor]:
    """The effects of a layer's neurons, as tensors (d_mlp, N_TOKENS) with the names of `LogitEffects`' fields."""
    block = model.blocks[layer]
    written = block.mlp.W_out.detach().to(unembedding)  # (d_mlp, d_model)
    if (after := getattr(block, "ln2_post", None)) is not None:
        written = written * model.norm_weights(after).scale.to(written)
    found = []
    for rows in written.split(max(1, EFFECTS_AT_ONCE // len(unembedding))):
        effects = rows @ unembedding.T
        promoted, promoted_ids = effects.topk(N_TOKENS)
        suppressed, suppressed_ids = effects.topk(N_TOKENS, largest=False)
        found.append((promoted_ids.int(), promoted, suppressed_ids.int(), suppressed))
    return {name: torch.cat(parts).cpu() for name, parts in zip(EFFECT_NAMES, zip(*found, strict=True), strict=True)}


def read_effects(tensors: Mapping[str, Tensor], index: int) -> LogitEffects | None:
    """The effects of a neuron among those of its layer; None if the layer has none."""
    if EFFECT_NAMES[0] not in tensors:
        return None
    return LogitEffects(*(tensors[name][index].numpy() for name in EFFECT_NAMES))


def _is_direct(model: LanguageModel, norm: Any) -> bool:
    """Whether, on a few tokens, every block adds what its neurons write to what it received (behind a norm of their
    own in some models), the final norm reads the last block's output, and the unembedding what that norm gives."""
    with torch.inference_mode():
        _, cache = model.bridge.run_with_cache(model.probe())
    sums = [("ln_final.hook_in", [f"blocks.{model.n_layers - 1}.hook_out"])]
    for layer, block in enumerate(model.blocks):
        attention = "ln1_post" if hasattr(block, "ln1_post") else "attn"
        mlp = "ln2_post" if hasattr(block, "ln2_post") else "mlp.out"
        parts = [f"blocks.{layer}.{part}" for part in ("hook_in", f"{attention}.hook_out", f"{mlp}.hook_out")]
        sums.append((f"blocks.{layer}.hook_out", parts))
        if mlp == "ln2_post":
            sums.append((f"blocks.{layer}.ln2_post.hook_in", [f"blocks.{layer}.mlp.out.hook_out"]))
    names = {"ln_final.hook_normalized", "unembed.hook_in"}.union(*({total, *parts} for total, parts in sums))
    if not names <= set(cache.keys()):
        return False
    values = {name: as_float(cache[name]) for name in names}
    final = model.norm_weights(norm)
    scaled = values["ln_final.hook_normalized"] * final.scale + final.shift
    errors = [
        relative_error(values[total], torch.stack([values[part] for part in parts]).sum(0)) for total, parts in sums
    ]
    return max(*errors, relative_error(values["unembed.hook_in"], scaled)) <= ROUNDING[model.dtype]
