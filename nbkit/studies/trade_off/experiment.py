"""The trade-off of the neuron-embedding loss: a sweep of its weight and of the sparsity, over activations and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import get_args

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.mnist.hidden import Hidden, hidden_of
from nbkit.sae.architecture import Activation
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.config import SaeConfig
from nbkit.sae.evaluation import DEAD_BELOW, evaluate_sae
from nbkit.sae.latents import Examples, control_distances
from nbkit.sae.loss import Gradient
from nbkit.sae.separation import two_cluster_silhouettes
from nbkit.sae.sweep_columns import ACTIVATION_TITLES
from nbkit.sae.training import train_saes
from nbkit.studies.shared.kept_tables import Configs, kept_tables

SWEEP_RECIPE = 3
"""Counts the changes of what the kept tables hold."""

OTHER_GRADIENTS: dict[Gradient, float] = {"average": 2e-2, "opposite": 3e-3}
"""Lambda 2 of the gradients that stand beside the whole one."""
OF_LATENTS = (
    "max_distance",
    "mean_distance",
    "control_distance",
    "participation",
    "purity",
    "same_digit",
    "monosemanticity",
    "silhouette",
    "embedding_silhouette",
)
"""Figures of a latent with at least two examples. A table has their median, and as `…_weighted` their mean weighted by
the number of test inputs that activate the latent."""


@dataclass(frozen=True)
class Grid:
    """What is trained for every seed: the paper's recipe, one epoch, but for what is named here.

    TopK and BatchTopK take neither the L1 penalty nor Adam's L2 decay, which moves the weights of a latent without
    gradient to zero in about a hundred steps.
    """

    l1: Sequence[float] = (1e-5, 2.5e-5, 5e-5, 1e-4, SaeConfig.l1, 4e-4, 8e-4)
    """Lambda 1 of the standard ReLU autoencoders: the curve that the others are held against."""
    k: Sequence[int] = (4, 8, 16, 32)
    """Latents kept for an input by the standard TopK and BatchTopK autoencoders."""
    ne: Sequence[float] = (3e-3, 1e-2)
    """Lambda 2, the weight of the neuron-embedding loss."""
    ne_l1: Sequence[float] = (1e-4, SaeConfig.l1, 4e-4)
    """Lambda 1 of the ReLU autoencoders with that loss."""
    ne_k: Sequence[int] = (8, 16)
    """k of the TopK and BatchTopK autoencoders with it."""
    activations: Sequence[Activation] = ("relu", "topk", "batch_topk")
    gradient: Gradient = "whole"
    """What those with the loss feel of it; see `NeuronEmbeddingLoss`."""

    def __post_init__(self) -> None:
        if self.gradient not in get_args(Gradient):
            raise NbkitError(f"There is no gradient {self.gradient!r}: choose one of {', '.join(get_args(Gradient))}.")
        for field in fields(self)[:-1]:
            values = tuple(getattr(self, field.name))
            object.__setattr__(self, field.name, values)
            if len(set(values)) < len(values) or not values:
                raise NbkitError(f"{field.name} is {list(values)}: give at least one value, and each once")
        if odd := [name for name in self.activations if name not in ACTIVATION_TITLES]:
            raise NbkitError(f"There is no activation {odd[0]!r}: choose from {', '.join(ACTIVATION_TITLES)}.")
        if min(self.ne) <= 0:
            raise NbkitError(f"ne holds {min(self.ne)}: the loss needs weights above 0; l1 and k are for those without")

    def configs(self, activation: Activation, seed: int) -> list[SaeConfig]:
        """The autoencoders of one activation and seed, those without the loss first."""
        relu = activation == "relu"
        standard, others = (self.l1, self.ne_l1) if relu else (self.k, self.ne_k)
        points = [(0.0, sparsity) for sparsity in standard]
        points += [(ne, sparsity) for ne in self.ne for sparsity in others]
        if relu:
            configs = [SaeConfig(l1=l1, ne=ne, seed=seed) for ne, l1 in points]
        else:
            base = SaeConfig(activation=activation, l1=0.0, weight_decay=0.0, seed=seed)
            configs = [replace(base, k=int(k), ne=ne) for ne, k in points]
        return [replace(config, ne_gradient=self.gradient) if config.ne else config for config in configs]


def sweep(
    grid: Grid | None = None, n_seeds: int = 5, seed: int = 0, n_jobs: int = -1, progress: bool = True
) -> pd.DataFrame:
    """Trains and measures the autoencoders of a grid with `n_seeds` seeds.

    A seed makes the MLP, the weights of the autoencoder and the order of the images. The tables of each activation and
    seed, without the loss and with it, are kept in the cache folder when they are finished, so an interrupted sweep
    goes on where it was, and another gradient finds the standard autoencoders trained.

    Args:
        grid: what is trained.
        n_seeds: seeds from `seed` on.
        n_jobs: processes, of one thread each; -1 for one a core.
        progress: whether to show a bar.

    Returns:
        One row per autoencoder: `activation`, `sparsity` (lambda 1 for `relu`, k for the others), `ne`, `seed`, and the
        figures of `figures_of`.

    Raises:
        NbkitError: n_seeds is below 1; MNIST can't be fetched; the cache folder can't be written.
    """
    grid = grid or Grid()
    if n_seeds < 1:
        raise NbkitError(f"n_seeds is {n_seeds}: it must be at least 1")
    groups = []
    for number in range(seed, seed + n_seeds):
        for activation in grid.activations:
            configs = grid.configs(activation, number)
            groups += [[c for c in configs if not c.ne], [c for c in configs if c.ne]]
    tables = kept_tables("trade-off", SWEEP_RECIPE, groups, _measured, n_jobs, progress)
    return pd.concat(tables, ignore_index=True)


def other_gradients(
    grid: Grid | None = None, n_seeds: int = 5, seed: int = 0, n_jobs: int = -1, progress: bool = True
) -> dict[Gradient, pd.DataFrame]:
    """`sweep` with the other gradients of the loss: of the grid's first two activations, at one lambda 2 each.

    Arguments and errors are those of `sweep`; lambda 2 is in `OTHER_GRADIENTS`.
    """
    grid = grid or Grid()
    found: dict[Gradient, pd.DataFrame] = {}
    for gradient, ne in OTHER_GRADIENTS.items():
        mine = replace(grid, gradient=gradient, ne=(ne,), activations=grid.activations[:2])
        found[gradient] = sweep(mine, n_seeds, seed, n_jobs, progress)
    return found


def figures_of(sae: SparseAutoencoder, hidden: Hidden, seed: int = 0) -> dict[str, float]:
    """The figures of an autoencoder that the trade-off is about.

    Returns:
        The figures of `SaeReport.summary` but for those of clusters; the medians and weighted means of `OF_LATENTS`,
        where `same_digit` is the share of the pairs of a latent's examples that show the same digit (which, unlike the
        purity, does not grow when there are few examples), `control_distance` the mean distance of random test inputs
        in the latent's space, `silhouette` that of its first ten examples' images in two clusters, and
        `embedding_silhouette` that of their embeddings (see `two_cluster_silhouettes`); and `relative_distance`, the
        mean over latents of their mean distance by that of their control distance: below 1 a latent's examples are
        more alike than any inputs are to it.
    """
    found = evaluate_sae(
        sae,
        hidden.train,
        hidden.test,
        hidden.readout,
        hidden.test_labels,
        hidden.test_pixels,
        threshold=None,
        dead_below=DEAD_BELOW,
    )
    examples, w_enc = found.all_examples, sae.w_enc.detach()
    offsets, inputs = examples.offsets, examples.inputs
    latents = {
        **{str(name): column.to_numpy() for name, column in found.latents.items()},
        "same_digit": same_class(examples, hidden.test_labels),
        "control_distance": control_distances(sae.w_enc, hidden.test, seed),
        "silhouette": two_cluster_silhouettes(hidden.test_pixels, offsets, inputs),
        "embedding_silhouette": two_cluster_silhouettes(hidden.test, offsets, inputs, w_enc),
    }
    return {**found.summary, **_summary(latents)}


def same_class(examples: Examples, labels: Int[Tensor, " n_test"]) -> Float[np.ndarray, " m"]:
    """The share of the pairs of each latent's examples that belong to one class; NaN below two examples.

    Its expectation does not depend on the number of examples, whereas the purity of two is at least a half.
    """
    m, n_classes = len(examples.sizes), int(labels.max()) + 1
    latent = torch.repeat_interleave(torch.arange(m), examples.sizes)
    cells = torch.bincount(latent * n_classes + labels[examples.inputs], minlength=m * n_classes).view(m, n_classes)
    n = examples.sizes.double()
    pairs: np.ndarray = ((cells * (cells - 1)).sum(1) / (n * (n - 1))).where(n >= 2, torch.nan).numpy()
    return pairs


def _summary(latents: Mapping[str, np.ndarray]) -> dict[str, float]:
    pairs = latents["size"] >= 2
    weights = latents["n_examples"]
    summary = {}
    for name in OF_LATENTS:
        defined = pairs & np.isfinite(latents[name])
        values = latents[name][defined]
        summary[name] = float(np.median(values)) if len(values) else float("nan")
        weighted = float(np.average(values, weights=weights[defined])) if len(values) else float("nan")
        summary[f"{name}_weighted"] = weighted
    both = pairs & np.isfinite(latents["control_distance"])
    control = latents["control_distance"][both].sum()
    summary["relative_distance"] = (
        float(latents["mean_distance"][both].sum() / control) if control > 0 else float("nan")
    )
    return summary


def _measured(configs: Configs) -> pd.DataFrame:
    """The rows of autoencoders of one seed."""
    seed = configs[0].seed
    hidden = hidden_of(seed)
    rows = []
    for config, sae in zip(configs, train_saes(hidden.train, configs, progress=False), strict=True):
        sparsity = config.l1 if config.k is None else config.k
        about = {"activation": config.activation, "sparsity": float(sparsity), "ne": config.ne, "seed": seed}
        rows.append({**about, **figures_of(sae, hidden, seed)})
    return pd.DataFrame(rows)
