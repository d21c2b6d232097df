"""How the networks on MNIST are trained, and how they are kept in the cache folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from filelock import FileLock
from jaxtyping import Float, Int
from torch import Tensor, nn
from tqdm.auto import tqdm

from nbkit import assets
from nbkit.errors import NbkitError
from nbkit.files import read_tensors, write_tensors
from nbkit.mnist.images import Mnist

Recipe = Mapping[str, float]
"""Of Adadelta with L2 decay: `learning_rate`, by which factor it `falls_by` after each epoch, `weight_decay`,
`batch_size`, `epochs`; and what a network adds to it."""
Network = TypeVar("Network", bound=nn.Module)
Loss = Callable[[Float[Tensor, "b 784"], Int[Tensor, " b"]], Float[Tensor, ""]]
"""Of normalized images and their digits."""


def fit(network: Network, loss: Loss, mnist: Mnist, recipe: Recipe, seed: int, name: str, progress: bool) -> Network:
    """Trains a network on the training images.

    Args:
        network: whose weights are changed, in place.
        loss: what is made small, of a batch.
        mnist: the images.
        recipe: how.
        seed: of the order of the images, and of what else is drawn.
        name: of the network, for the bar.
        progress: whether to show a bar.
    """
    optimizer = torch.optim.Adadelta(
        network.parameters(), lr=recipe["learning_rate"], weight_decay=recipe["weight_decay"], foreach=True
    )
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, recipe["falls_by"])
    images, labels = mnist.train_images, mnist.train_labels
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in tqdm(range(int(recipe["epochs"])), desc=name, unit="epoch", disable=not progress):
            for places in torch.randperm(len(images)).split(int(recipe["batch_size"])):
                missed = loss(images[places], labels[places])
                optimizer.zero_grad()
                missed.backward()
                optimizer.step()
            schedule.step()
    return network.eval().requires_grad_(False)


def kept(
    network: Network, folder: str, recipe: Mapping[str, object], seed: int, train: Callable[[], nn.Module]
) -> Network:
    """The network with the weights that its recipe gives, trained on the first call and kept in the cache folder.

    Args:
        network: takes the weights.
        folder: where in the cache folder they are.
        recipe: all that they depend on besides the seed and PyTorch.
        seed: likewise.
        train: gives a network of its kind, trained.

    Raises:
        NbkitError: the cache folder can't be written, or what `train` says.
    """
    identity = json.dumps({**recipe, "seed": seed, "torch": torch.__version__}, sort_keys=True)
    path = assets.cache_folder() / folder / f"mnist-{hashlib.sha256(identity.encode()).hexdigest()[:10]}.safetensors"
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_suffix(".lock")):
                if not path.is_file():  # another process may have held the lock to write it
                    write_tensors(train().state_dict(), path)
        except OSError as error:
            raise NbkitError(f"can't write to {path.parent} ({error.strerror}): set NBKIT_CACHE to another") from error
    network.load_state_dict(read_tensors(path))
    return network.eval().requires_grad_(False)
