"""Units of networks on MNIST whose behaviors are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nbkit.errors import NbkitError
from nbkit.mnist.cnn import LAYERS, MnistCNN, cnn_inputs
from nbkit.mnist.images import Mnist, load_mnist
from nbkit.mnist.mlp import MnistMLP
from nbkit.studies.ground_truth import images as all_images
from nbkit.studies.ground_truth.digit_units import digit_units
from nbkit.studies.ground_truth.image_layers import IMAGE_SHARE, cnn_layers, maps_of, mlp_layer
from nbkit.studies.ground_truth.image_units import cornered_units, merged_image_units

N = 700
NETWORKS = ("MLP of seed 0", "MLP of seed 1")


@pytest.fixture(scope="module")
def mnist() -> Mnist:
    return load_mnist()


def test_an_mlps_examples_are_the_images_that_activate_a_unit_most(mnist: Mnist) -> None:
    mlp, images = MnistMLP(), mnist.test_images[:N]
    layer = mlp_layer(mlp, images, "it")
    gave = mlp.hidden(images).detach().numpy()
    for unit in (0, 17, 63):
        expected = [images[i].numpy() for i in range(N) if gave[i, unit] >= IMAGE_SHARE * gave[:, unit].max() > 0]
        np.testing.assert_array_equal(layer.examples[unit], np.array(expected).reshape(-1, 784))


def test_a_channels_examples_are_the_patches_where_it_is_strongest(mnist: Mnist) -> None:
    cnn, images = MnistCNN(), mnist.test_images[:N]
    first, _, hidden = cnn_layers(cnn, images, "it")
    assert [first.name, hidden.name] == [f"it {LAYERS[0]}", f"it {LAYERS[2]}"]
    pixels = cnn_inputs(images)[:, 0]
    with torch.no_grad():
        maps = cnn.conv1(pixels[:, None])[:, 3].numpy()  # (n, 24, 24) of one channel
    peaks = maps.max(axis=(1, 2))
    expected = []
    for image in np.flatnonzero((peaks >= IMAGE_SHARE * peaks.max()) & (peaks > 0)):
        row, column = np.unravel_index(maps[image].argmax(), (24, 24))
        expected.append(pixels[image, row : row + 5, column : column + 5].flatten().numpy())
    np.testing.assert_array_equal(first.examples[3], np.array(expected).reshape(-1, 25))
    # of a hidden unit the weights and what it reads make what it gives
    read = maps_of(cnn, images)
    gave = np.maximum(read @ cnn.hidden.weight.detach().numpy().T + cnn.hidden.bias.detach().numpy(), 0)
    unit = int(gave.max(axis=0).argmax())
    np.testing.assert_allclose(
        hidden.examples[unit], read[gave[:, unit] >= IMAGE_SHARE * gave[:, unit].max()], atol=1e-6
    )


def test_merged_units_of_a_layer_share_its_background(mnist: Mnist) -> None:
    layers = cnn_layers(MnistCNN(), mnist.test_images[:N], "it")
    units = merged_image_units(layers, terms=(2, 5), most=3)
    assert {labeled.task for labeled in units} == {"images"}
    assert {labeled.group for labeled in units} <= {layer.name for layer in layers}
    for labeled in units:
        assert labeled.difficulty["terms"] in (2, 5)
        terms = [int(name.strip(",")) for name in labeled.name.split(" of ")[1].split()]
        layer = next(layer for layer in layers if layer.name == labeled.group)
        factors = np.linalg.lstsq(layer.weights[terms].T, labeled.unit.weights, rcond=None)[0]
        np.testing.assert_allclose(factors @ layer.weights[terms], labeled.unit.weights, atol=1e-5)
    assert len({id(labeled.unit.background) for labeled in units}) == len({labeled.group for labeled in units})


def test_a_unit_that_also_sees_a_corner_adds_nothing_where_the_corner_is_paper(mnist: Mnist) -> None:
    mlp, images = MnistMLP(), mnist.test_images[:N].clone()
    units = cornered_units(mlp, images, "it", side=4, n_examples=60, most=9)
    assert 5 < len(units) <= 9 and {labeled.task for labeled in units} == {"corner patches"}
    for labeled in units:
        own = mlp.into.weight[int(labeled.name.split()[2])].detach().numpy()
        detector = labeled.unit.weights - own
        seen = np.flatnonzero(np.abs(detector) > 1e-5)
        assert len(seen) == 16
        rows, columns = seen // 28, seen % 28
        assert (
            np.ptp(rows) == np.ptp(columns) == 3
            and {rows[0], rows[-1]} & {0, 27}
            and {columns.min(), columns.max()} & {0, 27}
        )
        corner, part = labeled.unit.read[:, seen], labeled.unit.read @ detector
        pasted = corner.std(axis=1) > 0.5
        np.testing.assert_allclose(part[~pasted], 0, atol=1e-4)
        np.testing.assert_allclose(part[pasted], part[pasted][0], rtol=1e-4)
        clear = ~labeled.ambiguous
        np.testing.assert_array_equal(labeled.labels[clear], pasted[clear].astype(int))
        own_parts = labeled.unit.read @ own
        np.testing.assert_array_equal(labeled.labels, (part > own_parts).astype(int))
        # the control's corner is another, also where the ninth unit is followed by the first
        differences = mlp.into.weight.detach().numpy() - labeled.other_weights
        of_control = np.abs(differences[(np.abs(differences) > 1e-5).sum(axis=1).argmin()]) > 1e-5
        assert of_control.sum() == 16 and not of_control[seen].any()
    assert mnist.test_images[:N].equal(images)  # nothing is pasted into the images themselves


@pytest.mark.parametrize("options", [{"most": 1}, {"most": 2.5}, {"n_examples": 5}])
def test_corner_units_that_cannot_be_are_refused(mnist: Mnist, options: dict[str, Any]) -> None:
    with pytest.raises(NbkitError, match=next(iter(options))):
        cornered_units(MnistMLP(), mnist.test_images[:50], "it", **options)
    with pytest.raises(NbkitError, match="0 units have examples"):
        cornered_units(MnistMLP(), torch.zeros(50, 784), "it")


def test_digit_units_are_labeled_by_digits_and_find_them() -> None:
    rng = np.random.default_rng(0)
    digits = rng.integers(0, 10, 1200)
    read = np.eye(10)[digits] @ rng.normal(size=(10, 12)) + 0.05 * rng.normal(size=(1200, 12))
    units = digit_units(read, digits, "it", terms=(2, 4), n_examples=40)
    assert [labeled.difficulty["terms"] for labeled in units] == [2.0] * 5 + [4.0] * 2
    for labeled in units:
        chosen = [int(word.strip(",")) for word in labeled.name.split()[3:]]
        assert labeled.n_behaviors == len(chosen) == labeled.difficulty["terms"]
        assert set(labeled.labels[~labeled.ambiguous].tolist()) == set(chosen)
        assert np.bincount(labeled.labels[~labeled.ambiguous]).max() <= 40 // len(chosen)
        # examples are of the half that no probe was fitted on, the background of the other
        np.testing.assert_array_equal(labeled.unit.background.vectors, read[:600])
        assert all((read[600:] == each).all(axis=1).any() for each in labeled.unit.read)
        pushes = (read[600:] - read[:600].mean(axis=0)) @ labeled.unit.weights
        strong = np.isin(digits[600:], chosen)
        assert pushes[strong].min() > pushes[~strong].max()


def test_a_foreign_digit_is_ambiguous() -> None:
    rng = np.random.default_rng(0)
    digits = rng.integers(0, 10, 3000)
    read = np.eye(10)[digits] @ rng.normal(size=(10, 12)) + 0.5 * rng.normal(size=(3000, 12))
    units = digit_units(read, digits, "it", terms=(3,), n_examples=90)
    for labeled in units:
        chosen = [int(word.strip(",")) for word in labeled.name.split()[3:]]
        np.testing.assert_array_equal(labeled.ambiguous, ~np.isin(labeled.labels, chosen))
    assert sum(labeled.ambiguous.sum() for labeled in units) > 0


def test_digits_need_images() -> None:
    with pytest.raises(NbkitError, match="digits of shape"):
        digit_units(np.ones((30, 4)), np.zeros(29, int), "it")


def test_all_units_of_the_networks(mnist: Mnist, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(all_images, "mlp_for", MnistMLP)
    monkeypatch.setattr(all_images, "cnn_for", MnistCNN)
    units = all_images.image_units((0, 1), (0,), n_images=1000, most=2)
    assert {labeled.task for labeled in units} == {"images", "corner patches", "digits"}
    assert {labeled.group.split()[0] for labeled in units} == {"MLP", "CNN"}
    names = [(labeled.task, labeled.name) for labeled in units]
    assert len(set(names)) == len(names)
    (pixels,) = {labeled.unit.background for labeled in units if labeled.task == "corner patches"}
    np.testing.assert_array_equal(pixels.vectors, mnist.test_images[:1000].numpy())
    first, second = ({n.split("digits ")[1] for task, n in names if task == "digits" and of in n} for of in NETWORKS)
    assert first and second and not first & second, "each network has pairs of its own"
    with pytest.raises(NbkitError, match="n_images"):
        all_images.image_units(n_images=10_001)
