"""How much each token of a text attends to each, by a layer's own attention."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from nbkit.models.language_model import ALLOWED_ROUNDING, LanguageModel


@contextmanager
def attention_weights(model: LanguageModel, layers: Sequence[int]) -> Iterator[dict[int, Float[Tensor, "b t t"]]]:
    """Gives a dict into which every forward pass inside puts the attention weights of some layers, by number.

    They are the mean over a layer's heads, from each token of a text (rows, which sum to 1) to each (columns), in
    float32 on the model's device. Inside, the model runs on eager attention, since others compute no weights. A layer
    whose block has no module that gives such weights is not among the keys.

    Args:
        model: any language model; at the end its attention is implemented as before.
        layers: numbers of its blocks.
    """
    found: dict[int, Tensor] = {}

    def keep(layer: int) -> Callable[..., None]:
        def note(_: nn.Module, __: Any, output: Any) -> None:
            for each in output if isinstance(output, tuple) else (output,):
                if _is_attention(each, ALLOWED_ROUNDING[model.dtype]):
                    found[layer] = each.detach().float().mean(dim=1).to(model.device)

        return note

    before = model.attention
    handles = [
        module.register_forward_hook(keep(layer)) for layer in layers for module in model.blocks[layer].modules()
    ]
    try:
        model.network.set_attn_implementation("eager")
        yield found
    finally:
        model.network.set_attn_implementation(before)
        for handle in handles:
            handle.remove()


def _is_attention(values: object, tolerance: float) -> bool:
    """Whether something has weights of each head, (b, heads, t, t), that sum to 1 over the tokens attended to."""
    if not isinstance(values, Tensor) or values.ndim != 4 or values.shape[-1] != values.shape[-2]:
        return False
    sums = values.detach().float().sum(dim=-1)
    return bool((values >= 0).all()) and bool(((sums - 1).abs() <= tolerance).all())
