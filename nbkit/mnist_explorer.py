"""The latent explorer of the MNIST models: the MLP's hidden layer and sparse autoencoders of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float

from nbkit.errors import NbkitError
from nbkit.explorers import LatentExplorer, LatentView, MlpWeights, activation_curve
from nbkit.hidden import Hidden
from nbkit.mnist import MEAN, STD, load_mnist
from nbkit.pixel_views import activation_maps, logit_effects
from nbkit.report import HIDDEN_CUT, SAE_CUT, SaeReport, evaluate_sae
from nbkit.sae import SparseAutoencoder

HIDDEN_NAME = "Hidden layer"


def explore_mnist(
    hidden: Hidden, saes: Mapping[str, SparseAutoencoder], view: int = 0, unit: int = 0
) -> LatentExplorer:
    """Every hidden neuron and every latent of some autoencoders, sortable by any metric.

    Args:
        hidden: the MLP, whose hidden layer is the first view.
        saes: autoencoders of that layer, ReLU ones, by the name that the reader chooses them by.
        view: the one to begin with: 0 for the hidden layer, 1 for the first autoencoder.
        unit: of it, the neuron or latent to begin with.

    Raises:
        NbkitError: an autoencoder is not a ReLU one or does not read 64 neurons, a view or unit does not exist, or
            MNIST can't be fetched.
    """
    views = [latent_view(HIDDEN_NAME, hidden, report_on(hidden))]
    views += [latent_view(name, hidden, report_on(hidden, sae), sae) for name, sae in saes.items()]
    return explore_views(hidden, views, view, unit)


def explore_report(report: SaeReport, hidden: Hidden, unit: int = 0) -> LatentExplorer:
    """The latents of one autoencoder of the hidden layer, or the hidden neurons, by the report on them.

    Args:
        report: see `report_on`.
        hidden: the MLP that the report is about.
        unit: the latent or neuron to begin with.

    Raises:
        NbkitError: the report is about something else, the autoencoder is not a ReLU one, or there is no such unit.
    """
    sae = None if report.encoder is hidden.mlp else report.encoder
    read = hidden.test_pixels.shape if sae is None else hidden.test.shape
    if not (sae is None or isinstance(sae, SparseAutoencoder)) or report.shape != tuple(read):
        raise NbkitError(
            f"This report is not about the {hidden.test.shape[1]} hidden neurons of this MLP or an autoencoder of "
            "them: take one of nbkit.mnist_explorer.report_on."
        )
    name = HIDDEN_NAME if sae is None else "Sparse autoencoder"
    return explore_views(hidden, [latent_view(name, hidden, report, sae)], 0, unit)


def explore_views(hidden: Hidden, views: Sequence[LatentView], view: int = 0, unit: int = 0) -> LatentExplorer:
    """The same where the views are at hand.

    Args:
        hidden: the MLP that they are about.
        views: see `latent_view`; that of the hidden layer can be among them.
        view: the one to begin with.
        unit: of it, the neuron or latent to begin with.

    Raises:
        NbkitError: a view or unit does not exist.
    """
    into, out = hidden.mlp.into, hidden.mlp.out
    mlp = MlpWeights(into.weight.T.numpy(), into.bias.numpy(), out.weight.T.numpy(), out.bias.numpy(), MEAN, STD)
    return LatentExplorer(views, mlp, hidden.test_pixels.numpy(), hidden.test_labels.numpy(), view, unit)


def report_on(hidden: Hidden, sae: SparseAutoencoder | None = None) -> SaeReport:
    """The report on an autoencoder of the hidden layer, its clusters cut at 0.05; or, without one, on the 64 hidden
    neurons, which read the images, their clusters cut at 0.2.

    Raises:
        NbkitError: as `evaluate_sae`, or MNIST can't be fetched.
    """
    labels, images = hidden.test_labels, hidden.test_pixels
    if sae is not None:
        return evaluate_sae(sae, hidden.train, hidden.test, hidden.readout, labels, images, threshold=SAE_CUT)
    mnist = load_mnist()
    inputs = mnist.train_images, mnist.test_images
    return evaluate_sae(hidden.mlp, *inputs, labels=labels, images=images, threshold=HIDDEN_CUT)


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
    clusters = [report.clusters(j).labels if len(examples[j]) else np.empty(0, dtype=np.int64) for j in range(n)]
    with torch.no_grad():
        latents = hidden.test if sae is None else sae.encode(hidden.test)
    return LatentView(
        name=name,
        metrics=report.latents.drop(columns="density"),  # n_examples says the same
        activation_maps=activation_maps(hidden.mlp, sae),
        logit_effects=logit_effects(hidden.mlp, sae),
        curves=activation_curve(latents.numpy()),
        examples=examples,
        clusters=clusters,
        encoder=None if sae is None else _encoder(sae),
        unit="neuron" if sae is None else "latent",
    )


def _encoder(sae: SparseAutoencoder) -> tuple[Float[np.ndarray, "64 m"], Float[np.ndarray, " m"]]:
    """Weights and bias for activations as they are, b_dec taken into the bias."""
    with torch.no_grad():
        return sae.w_enc.numpy(), (sae.b_enc - sae.b_dec @ sae.w_enc).numpy()
