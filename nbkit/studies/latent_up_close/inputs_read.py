"""What makes the distances of latents small: how few hidden neurons they read, and the same distances of images.

A latent that reads a single hidden neuron has parallel embeddings, so that its distances are 0 whatever activates it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from nbkit.errors import NbkitError
from nbkit.method.controls import other_units, random_inputs
from nbkit.mnist.hidden import Hidden
from nbkit.mnist.view import LatentView
from nbkit.sae.latents import Examples, example_distances

N_CONTROL = 100
"""Inputs of a control: as many as a latent has examples, at most."""


def inputs_of_latents(hidden: Hidden, view: LatentView, seed: int = 0) -> pd.DataFrame:
    """For each latent of an autoencoder of the hidden layer, what it reads and what its mean distance is worth.

    Args:
        hidden: the MLP.
        view: the autoencoder's.
        seed: of the controls' draws.

    Returns:
        One row a latent. Of its weights, each times its hidden neuron's standard deviation: `neuron`, the hidden neuron
        with the largest, and `share`, that one's share of their sum of squares. Mean cosine distances, NaN below two
        inputs: `own`, that of the report; `shuffled`, its examples with the weights of another latent; with its own
        weights, `random`, 100 test images drawn at random, and `neuron_on`, the first 100 for which its `neuron` is on;
        `pixels`, its examples as images, each pixel weighted by the latent's activation map, and `random_pixels`, the
        same of the random images. And `logits`, see `LatentView.logit_ranges`.

    Raises:
        NbkitError: the view is that of the hidden layer, whose neurons read pixels.
    """
    if view.encoder is None:
        raise NbkitError(f"The {view.name} reads pixels, no hidden neurons: give the view of an autoencoder.")
    w_enc, _ = view.encoder
    m = w_enc.shape[1]
    scaled = np.square(w_enc * hidden.train.std(0, correction=0).numpy()[:, None])
    examples = Examples.of_places(view.examples)
    random = Examples.of_places([random_inputs(len(hidden.test), N_CONTROL, seed)] * m)
    strongest = scaled.argmax(axis=0)
    neuron_on = Examples.of_places([np.flatnonzero(hidden.test[:, neuron] > 0)[:N_CONTROL] for neuron in strongest])
    weights = torch.from_numpy(w_enc)
    shuffled = weights[:, torch.from_numpy(other_units(m, seed))]
    images, maps = hidden.test_images, torch.from_numpy(view.activation_maps.T)
    columns = {
        "own": example_distances(hidden.test, weights, examples)[1],
        "shuffled": example_distances(hidden.test, shuffled, examples)[1],
        "random": example_distances(hidden.test, weights, random)[1],
        "neuron_on": example_distances(hidden.test, weights, neuron_on)[1],
        "pixels": example_distances(images, maps, examples)[1],
        "random_pixels": example_distances(images, maps, random)[1],
    }
    table = pd.DataFrame({name: column.numpy() for name, column in columns.items()})
    table.insert(0, "neuron", strongest)
    table.insert(1, "share", scaled.max(axis=0) / scaled.sum(axis=0))
    return table.assign(logits=view.logit_ranges)
