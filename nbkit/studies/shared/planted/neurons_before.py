"""The neurons of the layer before as features of what a layer's MLP reads: attribution through two layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.method.truth.unit import Features
from nbkit.models import LanguageModel
from nbkit.models.capturing import Tokens
from nbkit.models.weights import NeuronWeights, activation_function, as_float, input_weight


@dataclass(frozen=True, eq=False)
class NeuronsBefore:
    """How the neurons of the layer before read, and what a layer's MLP receives of what they write."""

    weights: NeuronWeights
    act_fn: Callable[[Tensor], Tensor]
    directions: Float[np.ndarray, "m d"]
    """Their output weights behind the layer's norm: minus their mean if it takes the mean away, times its scale. Its
    division by a token's norm is left out, which is one number for all neurons of an example."""

    def at(self, previous: Float[np.ndarray, "k d"]) -> Features:
        """The neurons' activations on what their MLP reads, and their directions."""
        activations = self.weights.activations(torch.from_numpy(previous).float(), self.act_fn)
        return Features(activations.numpy(), self.directions)


def neurons_before(model: LanguageModel, contexts: Tokens, layer: int) -> NeuronsBefore | None:
    """The neurons of the layer before; None of the first layer, and where what an MLP writes isn't added as it is to
    the stream that the layer's norm reads, as in models with norms behind the sums.

    Args:
        contexts: of which the first is run to see that.
        layer: the layer that reads.
    """
    if layer == 0:
        return None
    try:
        norm = model.norm(layer)
        wrote, added = (
            next(iter(model.capture(contexts, f"blocks.{layer - 1}.{place}", stop=1)))
            for place in ("mlp.hook_out", "hook_mlp_out")
        )
    except NbkitError:
        return None
    if not torch.equal(wrote, added):
        return None
    written = as_float(input_weight(model.output_weights(layer - 1))).T  # (m, d)
    if norm.centered:
        written = written - written.mean(dim=1, keepdim=True)
    directions = (written * norm.scale).numpy()
    return NeuronsBefore(model.neuron_weights(layer - 1), activation_function(model.activation), directions)
