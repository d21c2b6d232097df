"""The weights that the training of a sparse autoencoder begins with."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from nbkit.sae.architecture import Architecture


def initial_weights(architecture: Architecture, seed: int) -> dict[str, Tensor]:
    """See `SparseAutoencoder`."""
    generator = torch.Generator().manual_seed(seed)
    d_in, d_sae = architecture.d_in, architecture.d_sae

    def uniform(*shape: int, fan_in: int) -> Tensor:
        values: Tensor = (2 * torch.rand(*shape, generator=generator) - 1) / fan_in**0.5
        return values

    if architecture.activation == "relu":
        weights = {
            "w_enc": uniform(d_in, d_sae, fan_in=d_in),
            "b_enc": uniform(d_sae, fan_in=d_in),
            "w_dec": uniform(d_sae, d_in, fan_in=d_sae),
            "b_dec": uniform(d_in, fan_in=d_sae),
        }
    else:
        directions = normalize(torch.randn(d_sae, d_in, generator=generator), dim=1)
        weights = {
            "w_enc": directions.T.contiguous(),
            "w_dec": directions,
            "b_enc": torch.zeros(d_sae),
            "b_dec": torch.zeros(d_in),
        }
    return {**weights, "threshold": torch.zeros(())}
