"""How a sparse autoencoder is trained."""

from __future__ import annotations

from dataclasses import dataclass

from nbkit.errors import NbkitError
from nbkit.sae.architecture import Activation
from nbkit.sae.loss import Gradient, Over


@dataclass(frozen=True)
class SaeConfig:
    """How to train a sparse autoencoder; the defaults give the figures of the paper's standard one."""

    d_sae: int = 512
    """Latents."""
    activation: Activation = "relu"
    """See `SparseAutoencoder`."""
    k: int | None = None
    """Latents kept for an input, for `topk` and `batch_topk`."""
    l1: float = 1.78e-4
    """Lambda 1 of equation 5: weight of the sum of the latents over a batch."""
    ne: float = 0.0
    """Lambda 2: weight of the neuron-embedding loss."""
    ne_start: int = 200
    """Steps without that loss at the beginning."""
    ne_over: Over = "pairs"
    """What that loss sums over; see `NeuronEmbeddingLoss`."""
    ne_gradient: Gradient = "whole"
    """What the weights feel of it; see there."""
    momentum: float = 0.9
    """m of equation 6."""
    learning_rate: float = 8.75e-4
    """Adam's."""
    weight_decay: float = 1.05e-2
    """Adam's L2 penalty, not AdamW's decay."""
    batch_size: int = 128
    """Activations in a step."""
    epochs: int = 1
    """How often each activation is seen."""
    seed: int = 0
    """Of the weights and of the order of the activations."""
    checkpoint_every: int = 500
    """Steps after which the state is safe on disk, where `train_sae` is given a folder."""

    def __post_init__(self) -> None:
        for name in ("l1", "ne", "weight_decay", "ne_start"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise NbkitError(f"{name} is {getattr(self, name)}: it can't be negative or infinite")
        for name in ("batch_size", "epochs", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise NbkitError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if not 0 < self.learning_rate < float("inf"):
            raise NbkitError(f"learning_rate is {self.learning_rate}: it must be positive")
        if not 0 <= self.momentum < 1:
            raise NbkitError(f"momentum is {self.momentum}: choose one in [0, 1)")
