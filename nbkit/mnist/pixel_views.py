"""What a hidden neuron or an SAE latent looks for in an image and what it says about the digit (Figure 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int

from nbkit.errors import NbkitError
from nbkit.mnist.images import HIDDEN, STD
from nbkit.mnist.mlp import MnistMLP
from nbkit.sae.autoencoder import SparseAutoencoder


def activation_maps(mlp: MnistMLP, sae: SparseAutoencoder | None = None) -> Float[np.ndarray, "m 784"]:
    """What each pixel does to the activation of each latent.

    For a hidden neuron: what its pre-activation gains when the pixel goes from black to white, its input weight over
    the standard deviation of the pixels. For a latent: these gains of all hidden neurons, weighted as it reads them.
    That is its own gain as long as these are on; the map leaves out what switched-off neurons hide.

    Args:
        mlp: the classifier.
        sae: an autoencoder of its hidden layer; None for the 64 hidden neurons themselves.

    Raises:
        NbkitError: the autoencoder doesn't read 64 neurons, or normalizes them.
    """
    with torch.no_grad():
        maps = mlp.into.weight / STD
        if sae is not None:
            _check(sae)
            maps = sae.w_enc.to(maps).T @ maps
    return maps.numpy()


def average_examples(
    images: Float[np.ndarray, "n 784"], examples: Sequence[Int[np.ndarray, " size"]]
) -> Float[np.ndarray, "m 784"]:
    """The mean image of the examples of each latent; zeros for a latent without.

    Args:
        images: pixels in [0, 1].
        examples: of each latent, places in the images.
    """
    return np.stack([images[places].mean(axis=0) if len(places) else np.zeros(images.shape[1]) for places in examples])


def importance_maps(
    maps: Float[np.ndarray, "m 784"], averages: Float[np.ndarray, "m 784"]
) -> Float[np.ndarray, "m 784"]:
    """Where what a latent looks for is in its examples: the activation map times the average example."""
    product: Float[np.ndarray, "m 784"] = maps * averages
    return product


def logit_effects(mlp: MnistMLP, sae: SparseAutoencoder | None = None) -> Float[np.ndarray, "m 10"]:
    """What an activation of 1 of each latent adds to the logit of each digit.

    Exact: after the latents the classifier is linear. `sae` as for `activation_maps`.

    Raises:
        NbkitError: the autoencoder doesn't read 64 neurons, or normalizes them.
    """
    with torch.no_grad():
        effects = mlp.out.weight.detach().T
        if sae is not None:
            _check(sae)
            effects = sae.w_dec.to(effects) @ effects
    return effects.numpy()


def _check(sae: SparseAutoencoder) -> None:
    if sae.d_in != HIDDEN:
        raise NbkitError(f"This autoencoder reads {sae.d_in} numbers: one of the hidden layer reads {HIDDEN}.")
    architecture = sae.architecture
    if architecture.normalize_activations != "none" or architecture.d_out is not None:
        raise NbkitError(
            "This autoencoder normalizes its input or is a transcoder: there are maps only where pre-activations are "
            "linear in the hidden layer, and the reconstruction is in the latents."
        )
