"""Made-up models of made-up digits for the latent explorer: strokes, a random MLP, a random autoencoder of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from nbkit.explorers import LatentExplorer
from nbkit.mnist.view import LatentView, MlpWeights, activation_curve

DIGITS = (0, 1, 7)
"""Those that there are images of."""
HIDDEN, LATENTS = 8, 24
DEAD = 0
"""The latent that nothing activates."""
HOSTILE_NAME = "SAE <script>window.hacked = 1</script> & “more”"


class ExampleModels(NamedTuple):
    """What `LatentExplorer` takes, and the activations that it computes."""

    views: list[LatentView]
    mlp: MlpWeights
    images: np.ndarray
    labels: np.ndarray
    hidden: np.ndarray
    """(images, neurons)"""
    latents: np.ndarray
    """(images, latents)"""

    def explorer(self, view: int = 0, unit: int = 0) -> LatentExplorer:
        """The explorer of all this."""
        return LatentExplorer(self.views, self.mlp, self.images, self.labels, view, unit)


def example_models(n: int = 90, seed: int = 0) -> ExampleModels:
    """Two views: 8 hidden neurons, with a feature cluster for each height of each digit, and 24 latents, with one for
    each digit."""
    rng = np.random.default_rng(seed)
    labels = np.resize(DIGITS, n)
    offsets = rng.integers(-2, 3, size=(n, 2))
    images = np.stack([_image(digit, *offset) for digit, offset in zip(labels, offsets, strict=True)])
    w_in = rng.normal(size=(784, HIDDEN)) / 10
    mlp = MlpWeights(w_in, rng.normal(size=HIDDEN), rng.normal(size=(HIDDEN, 10)), rng.normal(size=10))
    hidden = np.maximum((images - mlp.mean) / mlp.std @ w_in + mlp.b_in, 0)
    w_enc = rng.normal(size=(HIDDEN, LATENTS))
    pre = hidden @ w_enc
    b_enc = 0.01 - np.quantile(pre, 0.7, axis=0)  # three in ten images activate a latent, none by a rounding error
    b_enc[DEAD] = -1 - pre[:, DEAD].max()
    latents = np.maximum(pre + b_enc, 0)
    gains = w_in / mlp.std
    views = [
        _view("Hidden layer", hidden, 5 * labels + offsets[:, 0], gains.T, mlp.w_out),
        _view(HOSTILE_NAME, latents, labels, (gains @ w_enc).T, w_enc.T @ mlp.w_out, (w_enc, b_enc)),
    ]
    return ExampleModels(views, mlp, images, labels, hidden, latents)


def _image(digit: int, down: int, right: int) -> np.ndarray:
    """A ring, a bar or a hook, in 8 bits as MNIST's images are."""
    row, column = np.mgrid[0:28, 0:28] - np.array([13.5 + down, 13.5 + right])[:, None, None]
    bar = np.maximum(np.abs(column), np.abs(row) - 8)
    distance = {
        0: np.abs(np.hypot(row, column) - 7),
        1: bar,
        7: np.minimum(np.maximum(np.abs(row + 7), np.abs(column) - 6), np.maximum(np.abs(column - 5), np.abs(row) - 8)),
    }[digit]
    image: np.ndarray = np.rint(np.clip(2.5 - distance, 0, 1) * 255).ravel() / 255
    return image


def _view(
    name: str,
    activations: np.ndarray,
    groups: np.ndarray,
    maps: np.ndarray,
    effects: np.ndarray,
    encoder: tuple[np.ndarray, np.ndarray] | None = None,
) -> LatentView:
    examples = [np.flatnonzero(column > 0) for column in activations.T]
    metrics = pd.DataFrame(
        {
            "n_examples": [len(rows) for rows in examples],
            "dead": [len(rows) == 0 for rows in examples],
            "mean_distance": [
                activations[rows, j].std() if len(rows) > 1 else np.nan for j, rows in enumerate(examples)
            ],
        }
    )
    return LatentView(
        name=name,
        metrics=metrics,
        activation_maps=maps,
        logit_effects=effects,
        curves=activation_curve(activations),
        examples=examples,
        clusters=[_by_size(groups[rows]) for rows in examples],
        encoder=encoder,
        unit="latent" if encoder else "neuron",
    )


def _by_size(groups: np.ndarray) -> np.ndarray:
    """The groups numbered from 0, the largest first."""
    names, places, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    rank = np.empty(len(names), dtype=int)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(names))
    return rank[places]
