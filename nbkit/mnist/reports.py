"""The reports on the MNIST models and what is shown of them: the MLP's hidden layer and its sparse autoencoders."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from nbkit.errors import NbkitError
from nbkit.mnist.hidden import Hidden
from nbkit.mnist.images import load_mnist
from nbkit.mnist.pixel_views import activation_maps, logit_effects
from nbkit.mnist.view import UNCLUSTERED, LatentView, activation_curve
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.evaluation import DEAD_BELOW, HIDDEN_CUT, SAE_CUT, evaluate_sae
from nbkit.sae.report import SaeReport

HIDDEN_NAME = "Hidden layer"


def report_on(hidden: Hidden, sae: SparseAutoencoder | None = None) -> SaeReport:
    """The report on an autoencoder of the hidden layer, its clusters cut at 0.05; or, without one, on the 64 hidden
    neurons, which read the images, their clusters cut at 0.2.

    Raises:
        NbkitError: the autoencoder doesn't read this hidden layer or holds NaN, or MNIST can't be fetched.
    """
    labels, images = hidden.test_labels, hidden.test_pixels
    if sae is not None:
        read = hidden.train, hidden.test, hidden.readout
        return evaluate_sae(sae, *read, labels, images, threshold=SAE_CUT, dead_below=DEAD_BELOW)
    mnist = load_mnist()
    inputs = mnist.train_images, mnist.test_images
    return evaluate_sae(hidden.mlp, *inputs, labels=labels, images=images, threshold=HIDDEN_CUT, dead_below=DEAD_BELOW)


def latent_view(name: str, hidden: Hidden, report: SaeReport, sae: SparseAutoencoder | None = None) -> LatentView:
    """What the explorer shows of one model, as arrays.

    Args:
        name: what the reader chooses it by.
        hidden: the MLP.
        report: on the model, see `report_on`.
        sae: a ReLU autoencoder of the hidden layer; None for the 64 hidden neurons themselves.

    Raises:
        NbkitError: the autoencoder is not a ReLU one, whose latents alone the browser computes (forward.js).
    """
    if sae is not None and sae.activation != "relu":
        raise NbkitError(
            f"{name!r} is a {sae.activation} autoencoder, and the explorer computes ReLU latents only: leave it out."
        )
    n = len(report.latents)
    examples = [report.examples(j) for j in range(n)]
    clusters = [
        report.clusters(j).labels if report.has_direction(j) else np.full(len(examples[j]), UNCLUSTERED)
        for j in range(n)
    ]
    with torch.no_grad():
        latents = hidden.test if sae is None else sae.encode(hidden.test)
    return LatentView(
        name=name,
        metrics=report.latents.drop(columns="density"),  # n_examples says the same
        activation_maps=activation_maps(hidden.mlp, sae),
        logit_effects=logit_effects(hidden.mlp, sae),
        curves=activation_curve(latents.float().numpy()),
        examples=examples,
        clusters=clusters,
        encoder=None if sae is None else _encoder(sae),
        unit="neuron" if sae is None else "latent",
    )


def _encoder(sae: SparseAutoencoder) -> tuple[Float[np.ndarray, "64 m"], Float[np.ndarray, " m"]]:
    """Weights and bias for activations as they are, b_dec taken into the bias."""
    with torch.no_grad():
        return sae.w_enc.float().numpy(), sae.bias.float().numpy()
