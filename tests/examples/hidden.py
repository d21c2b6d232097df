"""A small hidden layer of made-up images, for all that is measured on MNIST's."""

from __future__ import annotations

import torch

from nbkit.mnist.hidden import Hidden
from nbkit.mnist.images import MEAN, STD
from nbkit.mnist.mlp import MnistMLP
from nbkit.mnist.reports import latent_view
from nbkit.mnist.view import LatentView
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.evaluation import evaluate_sae
from nbkit.sae.report import SaeReport


def example_hidden(n: int = 90, seed: int = 0) -> Hidden:
    """An untrained MLP and noisy copies of ten patterns, one a digit; train and test images are the same."""
    generator = torch.Generator().manual_seed(seed)
    patterns = (torch.rand(10, 784, generator=generator) < 0.2).float()
    labels = torch.randint(10, (n,), generator=generator)
    pixels = (0.7 * patterns[labels] + 0.3 * torch.rand(n, 784, generator=generator)).clamp(0, 1)
    mlp = MnistMLP(seed).requires_grad_(False)
    activations = mlp.hidden((pixels - MEAN) / STD)
    return Hidden(mlp, activations, activations, labels, pixels)


def hidden_report(hidden: Hidden, max_examples: int = 100) -> SaeReport:
    """On the hidden neurons, cut at 0.2."""
    images = (hidden.test_pixels - MEAN) / STD
    return evaluate_sae(
        hidden.mlp,
        images,
        images,
        labels=hidden.test_labels,
        images=hidden.test_pixels,
        max_examples=max_examples,
        threshold=0.2,
    )


def hidden_view(hidden: Hidden, max_examples: int = 100) -> LatentView:
    """The hidden layer as pages show it."""
    return latent_view("hidden layer", hidden, hidden_report(hidden, max_examples))


def sae_view(hidden: Hidden, sae: SparseAutoencoder, name: str = "example SAE") -> LatentView:
    """An autoencoder of the hidden layer as pages show it."""
    report = evaluate_sae(sae, hidden.train, hidden.test, hidden.readout, hidden.test_labels, hidden.test_pixels)
    return latent_view(name, hidden, report, sae)


def example_sae(d_sae: int = 12, seed: int = 0) -> SparseAutoencoder:
    """An untrained autoencoder, whose latent 0 is dead and whose latent 1 reads hidden neuron 3 alone."""
    sae = SparseAutoencoder(64, d_sae, seed=seed)
    with torch.no_grad():
        sae.b_enc[0] = -100.0
        sae.w_enc[:, 1] = 0.0
        sae.w_enc[3, 1] = 2.0
        sae.b_enc[1] = -0.1
    return sae.requires_grad_(False)
