"""Figure 5's views: known answers by hand, images changed pixel by pixel, and autograd."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.mnist.images import MEAN, STD
from nbkit.mnist.mlp import MnistMLP
from nbkit.mnist.pixel_views import activation_maps, average_examples, importance_maps, logit_effects
from nbkit.sae.autoencoder import SparseAutoencoder, pre_activations


def models(seed: int = 0) -> tuple[MnistMLP, SparseAutoencoder]:
    return MnistMLP(seed), SparseAutoencoder(64, 20, seed=seed)


def normalized(pixels: Tensor) -> Tensor:
    return (pixels - MEAN) / STD


def latent_pre(mlp: MnistMLP, sae: SparseAutoencoder, pixels: Tensor) -> Tensor:
    return pre_activations(mlp.hidden(normalized(pixels)), sae.w_enc, sae.b_enc, sae.b_dec)


def test_maps_and_effects_of_weights_set_by_hand() -> None:
    mlp, sae = models()
    with torch.no_grad():
        for parameter in (*mlp.parameters(), *sae.parameters()):
            parameter.zero_()
        mlp.into.weight[2, 100], mlp.into.weight[5, 100], mlp.into.weight[5, 7] = STD, -2 * STD, 3 * STD
        mlp.out.weight[9, 2], mlp.out.weight[4, 5] = 10, -1
        sae.w_enc[2, 0], sae.w_enc[5, 0] = 4, 0.5  # latent 0 reads neurons 2 and 5
        sae.w_dec[0, 2], sae.w_dec[1, 5] = 0.25, 3
    neurons, latents = activation_maps(mlp), activation_maps(mlp, sae)
    assert neurons.shape == (64, 784) and latents.shape == (20, 784)
    np.testing.assert_allclose([neurons[2, 100], neurons[5, 100], neurons[5, 7]], [1, -2, 3], rtol=1e-6)
    assert np.count_nonzero(neurons) == 3
    np.testing.assert_allclose([latents[0, 100], latents[0, 7]], [4 * 1 + 0.5 * -2, 0.5 * 3], rtol=1e-6)
    assert np.count_nonzero(latents) == 2
    of_neurons, of_latents = logit_effects(mlp), logit_effects(mlp, sae)
    assert of_neurons.shape == (64, 10) and of_latents.shape == (20, 10)
    assert [of_neurons[2, 9], of_neurons[5, 4], np.count_nonzero(of_neurons)] == [10, -1, 2]
    assert [of_latents[0, 9], of_latents[1, 4], np.count_nonzero(of_latents)] == [2.5, -3, 2]


@given(st.integers(0, 783), st.integers(0, 20))
def test_a_hidden_neuron_gains_what_its_map_says_when_a_pixel_turns_white(pixel: int, seed: int) -> None:
    mlp, _ = models()
    black = torch.rand(784, generator=torch.Generator().manual_seed(seed))
    black[pixel] = 0
    white = black.clone()
    white[pixel] = 1
    with torch.no_grad():
        gain = mlp.into(normalized(white)) - mlp.into(normalized(black))
    np.testing.assert_allclose(activation_maps(mlp)[:, pixel], gain, atol=1e-5)


def test_a_latent_s_map_is_its_gradient_while_all_hidden_neurons_are_on() -> None:
    mlp, sae = models()
    with torch.no_grad():
        mlp.into.bias.fill_(100)
    pixels = torch.rand(784, generator=torch.Generator().manual_seed(0)).requires_grad_()
    gradient = torch.autograd.functional.jacobian(lambda x: latent_pre(mlp, sae, x[None])[0], pixels)
    np.testing.assert_allclose(activation_maps(mlp, sae), gradient, atol=1e-5)


def test_the_map_has_what_switched_off_neurons_hide() -> None:
    mlp, sae = models()
    with torch.no_grad():
        mlp.into.bias[:32], mlp.into.bias[32:] = 100, -100
    gradient = torch.autograd.functional.jacobian(lambda x: latent_pre(mlp, sae, x[None])[0], torch.rand(784))
    with torch.no_grad():
        on = sae.w_enc[:32].T @ activation_maps_tensor(mlp)[:32]
    np.testing.assert_allclose(gradient, on, atol=1e-5)
    assert np.abs(activation_maps(mlp, sae) - gradient.numpy()).max() > 0.01


def activation_maps_tensor(mlp: MnistMLP) -> Tensor:
    return torch.from_numpy(activation_maps(mlp))


def test_logit_effects_are_the_logits_gradients() -> None:
    mlp, sae = models()
    z = torch.rand(20, generator=torch.Generator().manual_seed(0))
    of_latents = torch.autograd.functional.jacobian(lambda x: mlp.readout(sae.decode(x[None]))[0], z)
    np.testing.assert_allclose(logit_effects(mlp, sae), of_latents.T, atol=1e-6)
    of_neurons = torch.autograd.functional.jacobian(lambda x: mlp.readout(x[None])[0], torch.rand(64))
    np.testing.assert_allclose(logit_effects(mlp), of_neurons.T, atol=1e-6)


@given(st.integers(0, 19), st.floats(0, 10))
def test_logit_effects_are_exact_at_any_activation(latent: int, activation: float) -> None:
    mlp, sae = models()
    before = torch.rand(1, 20, generator=torch.Generator().manual_seed(latent))
    after = before.clone()
    after[0, latent] += activation
    with torch.no_grad():
        moved = mlp.readout(sae.decode(after)) - mlp.readout(sae.decode(before))
    np.testing.assert_allclose(activation * logit_effects(mlp, sae)[latent], moved[0], atol=1e-4)


def test_averages_and_importance() -> None:
    images = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 0.5]])
    averages = average_examples(images, [np.array([0, 1]), np.array([], dtype=int), np.array([2])])
    np.testing.assert_array_equal(averages, [[0.5, 1, 0], [0, 0, 0], [0, 0, 0.5]])
    maps = np.array([[2, -3, 4], [1, 1, 1], [1, 1, -1]])
    np.testing.assert_array_equal(importance_maps(maps, averages), [[1, -3, 0], [0, 0, 0], [0, 0, -0.5]])


def test_a_hidden_neuron_s_importance_sums_to_what_lifts_it_above_black() -> None:
    mlp, _ = models()
    images = torch.rand(5, 784, generator=torch.Generator().manual_seed(0))
    averages = average_examples(images.numpy(), [np.arange(5)] * 64)
    with torch.no_grad():
        lift = mlp.into(normalized(images)).mean(0) - mlp.into(normalized(torch.zeros(784)))
    np.testing.assert_allclose(importance_maps(activation_maps(mlp), averages).sum(1), lift, atol=1e-4)


def test_the_precision_of_the_autoencoder_is_no_trouble() -> None:
    mlp, sae = models()
    as_it_is = activation_maps(mlp, sae), logit_effects(mlp, sae)
    for expected, found in zip(as_it_is, (activation_maps(mlp, sae.double()), logit_effects(mlp, sae)), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("view", [activation_maps, logit_effects])
def test_an_autoencoder_of_another_layer_is_refused(view: Callable[..., object]) -> None:
    with pytest.raises(NbkitError, match="reads 63 numbers: one of the hidden layer reads 64"):
        view(MnistMLP(), SparseAutoencoder(63, 5))
