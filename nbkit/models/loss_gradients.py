"""How the loss of a text depends on what a layer's MLP writes at each of its tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from nbkit.models.language_model import LanguageModel


def loss_gradients(
    model: LanguageModel, tokens: Int[Tensor, "b t"], text: Bool[Tensor, " t"], layers: Sequence[int]
) -> dict[int, Float[Tensor, "b t d_model"]]:
    """The gradient of each text's loss with respect to what the MLPs of some layers write at each of its tokens.

    A text's loss is the sum, over its tokens, of -ln of the probability that the model gives the token after those
    before it. A neuron writes its activation times its output weights, so the loss changes with its activation by
    the output weights times this gradient. At the last token the gradient is zero: nothing is predicted after it.

    Args:
        model: one that predicts the next token; its weights get no gradients.
        tokens: ids of a batch of texts, which one backward pass takes together.
        text: which positions hold text; no other is predicted.
        layers: numbers of the layers.

    Returns:
        The gradients by layer, computed in the model's precision, as float32 on its device.
    """
    wrote: dict[int, Tensor] = {}

    def keep(layer: int) -> Callable[..., Tensor]:
        def note(_: nn.Module, __: Any, output: Tensor) -> Tensor:
            wrote[layer] = output if output.requires_grad else output.requires_grad_()
            return output.clone()  # some models add to it in place

        return note

    ids = tokens.to(model.device).long()
    handles = [model.output_weights(layer).register_forward_hook(keep(layer)) for layer in layers]
    try:
        with _frozen(model.network), torch.enable_grad():
            logits = model.network(input_ids=ids, use_cache=False).logits
            losses = cross_entropy(logits[:, :-1].float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
            loss = (losses.view(len(ids), -1) * text[1:].to(losses.device)).sum()
            gradients = torch.autograd.grad(loss, [wrote[layer] for layer in layers])
    finally:
        for handle in handles:
            handle.remove()
    shaped = (each.float().reshape(*ids.shape, -1).to(model.device) for each in gradients)
    return dict(zip(layers, shaped, strict=True))


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Inside, no weight asks for a gradient, so that nothing is kept below the lowest layer."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    try:
        for weight in weights:
            weight.requires_grad_(False)
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)
