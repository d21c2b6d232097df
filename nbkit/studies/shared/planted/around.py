"""What is around a layer's vectors: the tokens that its attention looks at, and the loss that lies behind its MLP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from nbkit.errors import NbkitError
from nbkit.models import LanguageModel
from nbkit.models.attention import attention_weights
from nbkit.models.capturing import Tokens
from nbkit.models.loss_gradients import loss_gradients
from nbkit.models.weights import as_float
from nbkit.studies.shared.text_and_model import says_next

DIFFERENTIATED_AT_ONCE = 4
"""Contexts in a forward and backward pass."""


@dataclass(frozen=True, eq=False)
class Around:
    """What is around a layer's vectors in c contexts, at each of their t tokens of text, in float32."""

    contexts: Int[np.ndarray, " c"]
    """Their numbers, ascending."""
    attended: Float[np.ndarray, "c t d"] | None
    """The mean of what the layer's MLP reads at the text's tokens, weighted by the layer's own attention from the
    token, mean over heads; None where the attention can't be had."""
    loss_gradient: Float[np.ndarray, "c t d"] | None
    """The gradient of the text's loss with respect to what the MLP writes at the token, see `loss_gradients`; None
    of a model that doesn't predict the next token."""

    def at(
        self, context: Int[np.ndarray, " k"], place: Int[np.ndarray, " k"]
    ) -> tuple[Float[np.ndarray, "k d"] | None, Float[np.ndarray, "k d"] | None]:
        """`attended` and `loss_gradient` at some tokens.

        Args:
            context: of each the number of its context.
            place: and its number among the tokens of text there.

        Raises:
            NbkitError: a token is of another context.
        """
        if len(others := np.setdiff1d(context, self.contexts)):
            raise NbkitError(f"Context {others[0]} is not among the {len(self.contexts)} read with what is around.")
        row = np.searchsorted(self.contexts, context)
        return (
            None if self.attended is None else self.attended[row, place],
            None if self.loss_gradient is None else self.loss_gradient[row, place],
        )


def read_around(
    model: LanguageModel, contexts: Tokens, chosen: Int[np.ndarray, " c"], read: Mapping[int, Float[np.ndarray, "n d"]]
) -> dict[int, Around]:
    """Run some contexts forward and backward once and keep what is around the vectors of some layers: 8 bytes for each
    layer, token and coordinate.

    Args:
        contexts: of the model's tokens.
        chosen: numbers of those to run, ascending.
        read: by layer, what its MLP reads at every token of text of all contexts, in order.
    """
    layers, predicts = sorted(read), says_next(model)
    text = torch.from_numpy(~contexts.special).to(model.device)
    by_context = {layer: read[layer].reshape(len(contexts.tokens), int(text.sum()), -1) for layer in layers}
    attended, gradient = (
        {layer: np.full((len(chosen), *vectors.shape[1:]), np.nan, np.float32) for layer, vectors in by_context.items()}
        for _ in range(2)
    )
    with attention_weights(model, layers) as attention:
        for first in range(0, len(chosen), DIFFERENTIATED_AT_ONCE):
            batch = slice(first, first + DIFFERENTIATED_AT_ONCE)
            tokens = torch.tensor(contexts.tokens[chosen[batch]])
            if predicts:
                for layer, vectors in loss_gradients(model, tokens, text, layers).items():
                    gradient[layer][batch] = as_float(vectors[:, text]).numpy()
            else:
                with model.captured(layers[-1:], lambda *_: None) as run:
                    run(tokens)
            for layer in set(layers) & set(attention):
                weights = attention.pop(layer)[:, text][:, :, text]
                seen = torch.from_numpy(by_context[layer][chosen[batch]]).to(model.device)
                attended[layer][batch] = as_float(weights / weights.sum(dim=-1, keepdim=True) @ seen).numpy()
    return {layer: Around(chosen, _whole(attended[layer]), _whole(gradient[layer])) for layer in layers}


def _whole(values: Float[np.ndarray, "c t d"]) -> Float[np.ndarray, "c t d"] | None:
    """None where something is missing."""
    return None if np.isnan(values).any() else values
