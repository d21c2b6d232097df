"""Training sparse autoencoders: equation 5, one autoencoder or many of one shape in one computation.

    loss = mean squared error + l1 * sum of the batch's latents + ne * neuron-embedding loss (equations 4 and 6)

The mean is over inputs and dimensions, the two sums over the inputs of a batch, and Adam's L2 decay acts on all:
the recipe that gives the paper's figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor
from tqdm.auto import tqdm

from nbkit.errors import NbkitError
from nbkit.files import make_folder, sweep, user_path
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.config import SaeConfig
from nbkit.sae.tensors import as_tensor
from nbkit.sae.training_run import TrainingRun

CHECKPOINT = "checkpoint.safetensors"
STACK = 16
"""Autoencoders trained in one computation: twice as many at a time are hardly faster."""


def train_sae(
    activations: Float[Tensor | np.ndarray, "n d_in"],
    config: SaeConfig | None = None,
    folder: str | Path | None = None,
    progress: bool = True,
) -> SparseAutoencoder:
    """Trains a sparse autoencoder of `activations`, on their device and in their precision, float32 at least; of
    activations in half precision the trained weights are rounded to it.

    Args:
        activations: (n, d_in), what the autoencoder is to read and to reconstruct; of PyTorch or NumPy.
        config: how; the defaults give the figures of the paper's standard one.
        folder: keeps a checkpoint while training and the autoencoder at the end (`SparseAutoencoder.load` reads it). A
            run that was interrupted goes on from the checkpoint, to the same bits as without the interruption.

    Raises:
        NbkitError: the activations are no finite (n, d_in) numbers; the loss is not finite any more, the last good
            checkpoint being kept; `folder` holds the run of another config or other activations.
    """
    config = SaeConfig() if config is None else config
    run = TrainingRun(_checked(activations), _checked_configs([config]))
    path = None if folder is None else user_path(folder) / CHECKPOINT
    if path is not None:
        make_folder(path.parent)
        sweep(path.parent)
        if path.is_file():
            run.restore(path)
    with tqdm(total=run.n_steps, initial=run.step, desc="train", unit="step", disable=not progress) as bar:
        while run.step < run.n_steps:
            run.advance()
            bar.update()
            if path is not None and (run.step % config.checkpoint_every == 0 or run.step == run.n_steps):
                run.save(path)
    sae = run.autoencoders()[0]
    if folder is not None:
        sae.save(folder)
    return sae


def train_saes(
    activations: Float[Tensor | np.ndarray, "n d_in"], configs: Sequence[SaeConfig], progress: bool = True
) -> list[SparseAutoencoder]:
    """Trains one sparse autoencoder for each config, those of equal shape together.

    Configs that differ in `seed`, `l1` and `ne` alone share a computation; the result is that of `train_sae` up to
    rounding.

    Raises:
        NbkitError: the activations are no finite (n, d_in) numbers, or the loss is not finite any more.
    """
    data, configs = _checked(activations), _checked_configs(configs)
    groups: dict[tuple[SaeConfig, bool], list[int]] = {}
    for place, config in enumerate(configs):
        alike = (replace(config, seed=0, l1=0.0, ne=0.0), config.ne > 0)
        groups.setdefault(alike, []).append(place)
    stacks = [places[i : i + STACK] for places in groups.values() for i in range(0, len(places), STACK)]
    trained: dict[int, SparseAutoencoder] = {}
    with tqdm(total=len(configs), desc="train", unit="SAE", disable=not progress) as bar:
        for places in stacks:
            run = TrainingRun(data, [configs[place] for place in places])
            while run.step < run.n_steps:
                run.advance()
            trained.update(zip(places, run.autoencoders(), strict=True))
            bar.update(len(places))
    return [trained[place] for place in range(len(configs))]


def _checked_configs(configs: Sequence[SaeConfig]) -> Sequence[SaeConfig]:
    for config in configs:
        if not isinstance(config, SaeConfig):
            raise NbkitError(f"A {type(config).__name__} is no way to train: give an nbkit.SaeConfig.")
    return configs


def _checked(given: Tensor | np.ndarray) -> Tensor:
    activations = as_tensor(given, "The activations")
    if activations.ndim != 2 or 0 in activations.shape:
        raise NbkitError(f"The activations have shape {tuple(activations.shape)}: pass (n, d_in), with at least one.")
    if not activations.is_floating_point():
        raise NbkitError(f"The activations are {activations.dtype}: pass floating-point numbers.")
    if not bool(activations.isfinite().all()):
        row = int((~activations.isfinite()).any(1).nonzero()[0, 0])
        raise NbkitError(f"Row {row} of the activations holds NaN or infinite values: leave it out.")
    return activations.detach()
