"""Training an autoencoder on vectors of any place in a model, whatever their mean and scale."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.config import SaeConfig
from nbkit.sae.training import train_sae


def topk_config(d_sae: int, k: int, seed: int = 0, epochs: int = 1, learning_rate: float = 4e-4) -> SaeConfig:
    """A TopK autoencoder of `d_sae` latents, `k` of them active, without penalties."""
    return SaeConfig(
        d_sae=d_sae,
        activation="topk",
        k=k,
        l1=0,
        weight_decay=0,
        batch_size=256,
        learning_rate=learning_rate,
        epochs=epochs,
        seed=seed,
    )


def train_scaled(vectors: Float[Tensor, "n d"], config: SaeConfig, progress: bool = False) -> SparseAutoencoder:
    """An autoencoder that is trained on vectors minus their mean, divided by their standard deviation over all
    coordinates, so that the learning rate means the same everywhere; both are then taken into its weights."""
    mean, scale = _mean_and_scale(vectors)
    return _of_unscaled(train_sae((vectors - mean) / scale, config, progress=progress), mean, scale)


def start_scaled(vectors: Float[Tensor, "n d"], config: SaeConfig) -> SparseAutoencoder:
    """The autoencoder that `train_scaled` begins with."""
    start = SparseAutoencoder(
        vectors.shape[1], config.d_sae, activation=config.activation, k=config.k, seed=config.seed
    )
    return _of_unscaled(start, *_mean_and_scale(vectors))


def _mean_and_scale(vectors: Float[Tensor, "n d"]) -> tuple[Float[Tensor, " d"], float]:
    mean = vectors.mean(0)
    return mean, float((vectors - mean).square().mean().sqrt())


def _of_unscaled(sae: SparseAutoencoder, mean: Float[Tensor, " d"], scale: float) -> SparseAutoencoder:
    with torch.no_grad():
        sae.w_enc.div_(scale)
        sae.w_dec.mul_(scale)
        sae.b_dec.mul_(scale).add_(mean)
    return sae
