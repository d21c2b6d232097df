"""How a sparse autoencoder is trained."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from nbkit.method.checks import LARGEST_SIZE, checked_choice, checked_number, checked_seed, checked_whole
from nbkit.sae.architecture import Activation
from nbkit.sae.loss import Gradient, Over


@dataclass(frozen=True)
class SaeConfig:
    """How to train a sparse autoencoder; the defaults give the figures of the paper's standard one."""

    d_sae: int = 512
    """Number of latents."""
    activation: Activation = "relu"
    """What makes latents of pre-activations: `relu`, `topk` or `batch_topk` (see `SparseAutoencoder`)."""
    k: int | None = None
    """Latents kept for an input, for `topk` and `batch_topk`."""
    l1: float = 1.78e-4
    """Lambda 1 of equation 5: weight of the sum of the latents over a batch."""
    ne: float = 0.0
    """Lambda 2: weight of the neuron-embedding loss."""
    ne_start: int = 200
    """Steps at the beginning without the neuron-embedding loss."""
    ne_over: Over = "pairs"
    """What the neuron-embedding loss sums over: `pairs` or `latents` (see `NeuronEmbeddingLoss`)."""
    ne_gradient: Gradient = "whole"
    """What the weights feel of the neuron-embedding loss: `whole`, `average` or `opposite` (see
    `NeuronEmbeddingLoss`)."""
    momentum: float = 0.9
    """Momentum of the average inputs in the neuron-embedding loss: m of equation 6, in [0, 1)."""
    learning_rate: float = 8.75e-4
    """Learning rate of Adam."""
    weight_decay: float = 1.05e-2
    """L2 penalty in Adam, not the decay of AdamW."""
    batch_size: int = 128
    """Activations in a step."""
    epochs: int = 1
    """How often each activation is seen."""
    seed: int = 0
    """Seed of the first weights and of the order of the activations."""
    checkpoint_every: int = 500
    """Steps after which the state is safe on disk, where `train_sae` is given a folder."""

    def __post_init__(self) -> None:
        def check(name: str, checked: Callable[..., object], *bounds: Any) -> None:
            object.__setattr__(self, name, checked(name, getattr(self, name), *bounds))

        for name in ("l1", "ne", "weight_decay"):
            check(name, checked_number, "it can't be negative or infinite", 0, math.inf)
        check("learning_rate", checked_number, "it must be positive", 0, math.inf, "()")
        check("momentum", checked_number, "choose one in [0, 1)", 0, 1)
        for name in ("d_sae", "batch_size", "epochs", "checkpoint_every"):
            check(name, checked_whole, 1, LARGEST_SIZE)
        check("ne_start", checked_whole, 0, LARGEST_SIZE)
        if self.k is not None:
            check("k", checked_whole, 1, LARGEST_SIZE)
        for name, choices in (("activation", Activation), ("ne_over", Over), ("ne_gradient", Gradient)):
            check(name, checked_choice, get_args(choices))
        object.__setattr__(self, "seed", checked_seed(self.seed))
