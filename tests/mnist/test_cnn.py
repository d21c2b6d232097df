"""The convolutional network on MNIST: what it computes, how it is trained, and that it is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d, unfold

import nbkit.mnist.cnn
from nbkit.mnist.cnn import CNN_RECIPE, MnistCNN, cnn_for, cnn_inputs, train_cnn
from nbkit.mnist.images import Mnist, load_mnist
from nbkit.mnist.mlp import accuracy


@pytest.fixture(scope="module")
def few() -> Mnist:
    """The first three thousand training images: 47 steps an epoch."""
    mnist = load_mnist()
    return replace(mnist, train_images=mnist.train_images[:3000], train_labels=mnist.train_labels[:3000])


def weights(cnn: MnistCNN) -> Tensor:
    return torch.cat([tensor.flatten() for tensor in cnn.state_dict().values()])


def test_it_is_a_product_of_patches_and_weights_layer_by_layer(few: Mnist) -> None:
    cnn, images = MnistCNN(), cnn_inputs(few.test_images[:3])
    maps = images
    for conv, side in ((cnn.conv1, 24), (cnn.conv2, 8)):
        read = conv.weight.flatten(1) @ unfold(maps, 5) + conv.bias[:, None]  # type: ignore[index]
        maps = max_pool2d(read.clamp_min(0).unflatten(2, (side, side)), 2)
    hidden = (maps.flatten(1) @ cnn.hidden.weight.T + cnn.hidden.bias).clamp_min(0)
    torch.testing.assert_close(cnn(images), hidden @ cnn.out.weight.T + cnn.out.bias)
    assert cnn(images).shape == (3, 10)


def test_it_reads_ink_on_paper_of_zero(few: Mnist) -> None:
    images = cnn_inputs(few.test_images[:10])
    assert images.shape == (10, 1, 28, 28)
    assert images.min() == 0 and images.max() == 1
    assert (images == 0).float().mean() > 0.7


def test_only_the_seed_matters_and_not_the_number_of_threads(few: Mnist) -> None:
    few = replace(few, train_images=few.train_images[:640], train_labels=few.train_labels[:640])
    torch.manual_seed(1)
    first = weights(train_cnn(few, 7, progress=False))
    state, before = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        second = weights(train_cnn(few, 7, progress=False))
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, second)
    assert not torch.equal(first, weights(train_cnn(few, 8, progress=False)))


def test_it_learns(few: Mnist) -> None:
    cnn = train_cnn(few, progress=False)
    assert accuracy(cnn(cnn_inputs(few.test_images[:2000])), few.test_labels[:2000]) > 0.85  # by chance 0.1
    assert not any(parameter.requires_grad for parameter in cnn.parameters())


def test_seeds_recipes_and_sizes_are_kept_apart_each_trained_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[int] = []

    def train(mnist: object, seed: int, progress: bool) -> MnistCNN:
        trained.append(seed)
        return MnistCNN(seed + 100)

    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(nbkit.mnist.cnn, "load_mnist", lambda: None)
    monkeypatch.setattr(nbkit.mnist.cnn, "train_cnn", train)
    for _ in range(2):
        assert torch.equal(weights(cnn_for(3)), weights(MnistCNN(103)))
        assert torch.equal(weights(cnn_for(4)), weights(MnistCNN(104)))
    assert trained == [3, 4]
    monkeypatch.setitem(CNN_RECIPE, "epochs", 1)
    cnn_for(3)
    monkeypatch.setattr(nbkit.mnist.cnn, "CHANNELS", (2, 3))
    assert cnn_for(3).conv2.weight.shape == (3, 2, 5, 5)
    assert trained == [3, 4, 3, 3]
