"""Layers of PyTorch modules as units, held against loops over images and patches."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import nbkit
from nbkit.atlas.atlas import Atlas
from nbkit.errors import NbkitError
from nbkit.models import activation_function
from nbkit.units.patches import by_position, read_by
from nbkit.units.watching import LOOKED_FOR, POINTS
from tests.examples.stopped_writes import is_stopped, sums

CONFIG = nbkit.AtlasConfig(max_examples=5, batch_size=4, block_size=16)


class Net(nn.Module):
    """Two convolutions and a linear layer; the second has everything that a convolution can have."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 5, 3, bias=False)
        self.conv2 = nn.Conv2d(5, 4, (2, 3), stride=(2, 1), padding=(1, 2), dilation=(2, 1), padding_mode="reflect")
        self.pool, self.drop, self.fc = nn.MaxPool2d(2), nn.Dropout(0.5), nn.LazyLinear(3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.conv1(x).clamp(min=0))
        x = functional.gelu(self.drop(self.conv2(input=x)), approximate="tanh")
        logits: Tensor = self.fc(self.drop(x).flatten(1))
        return logits


@pytest.fixture(scope="module")
def net() -> Net:
    torch.manual_seed(0)
    made = Net()
    made(torch.rand(1, 2, 12, 14))
    return made


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(40, 2, 12, 14, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def atlas(net: Net, images: Tensor, tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    assert net.training
    shown, labels = images.mean(1), np.arange(40) % 3
    out = tmp_path_factory.mktemp("modules") / "atlas"
    made = nbkit.atlas_from_module(
        net, ["conv1", "conv2", "fc"], images, out, shown=shown, labels=labels, config=CONFIG, progress=False
    )
    assert net.training and net.drop.training  # as it was
    return made


def outputs(net: Net, images: Tensor) -> list[Tensor]:
    """What each layer gives after its activation function, (n, positions, units)."""
    net.eval()
    with torch.no_grad():
        first = net.conv1(images).relu()
        second = functional.gelu(net.conv2(net.pool(first)), approximate="tanh")
        third = net.fc(second.flatten(1))
    net.train()
    return [first.flatten(2).mT, second.flatten(2).mT, third[:, None]]


@pytest.mark.parametrize("site", [0, 1, 2])
def test_the_examples_are_those_of_a_loop(atlas: Atlas, net: Net, images: Tensor, site: int) -> None:
    activations = outputs(net, images)[site].numpy()
    for unit in range(activations.shape[2]):
        peaks = activations[:, :, unit].max(1)
        needed = [i for i in range(40) if peaks[i] > 0 and peaks[i] >= 0.75 * peaks.max()][:5]
        neuron = atlas.neuron(site, unit)
        assert neuron.context.tolist() == needed
        assert neuron.position.tolist() == [int(activations[i, :, unit].argmax()) for i in needed]
        np.testing.assert_allclose(neuron.peak, peaks[needed], rtol=1e-5)
        assert neuron.max_activation == pytest.approx(peaks.max(), rel=1e-5)


@pytest.mark.parametrize("site", [0, 1, 2])
def test_embeddings_add_up_to_the_pre_activation(atlas: Atlas, site: int) -> None:
    function = activation_function(atlas.manifest.site(site).activation)
    for neuron in atlas.iterate(site):
        pre = neuron.embeddings("input").astype(np.float64).sum(1) + neuron.weights.b_in
        np.testing.assert_allclose(function(torch.from_numpy(pre)).numpy(), neuron.peak, rtol=1e-4, atol=1e-6)


def test_what_a_channel_reads_is_the_patch_in_its_box(atlas: Atlas, images: Tensor) -> None:
    boxes = atlas.boxes(0)
    assert boxes is not None and boxes.shape == (10 * 12, 4)
    for neuron in atlas.iterate(0):
        for context, position, patch in zip(neuron.context, neuron.position, neuron.pre_mlp, strict=True):
            top, left, bottom, right = boxes[position]
            assert (bottom - top, right - left) == (3, 3)
            np.testing.assert_array_equal(patch, images[context, :, top:bottom, left:right].flatten().numpy())


def test_boxes_are_what_a_change_of_the_image_reaches(atlas: Atlas, net: Net, images: Tensor) -> None:
    boxes = atlas.boxes(1)
    assert boxes is not None and atlas.boxes(2) is None
    torch.manual_seed(3)
    reached = np.zeros((len(boxes), 12, 14), dtype=bool)
    for row in range(12):
        for column in range(14):
            changed = images[:8].clone()
            changed[:, :, row, column] += 50 * torch.randn(8, 2)
            moved = (outputs(net, changed)[1] != outputs(net, images[:8])[1]).any(0).any(1)
            reached[moved.numpy(), row, column] = True
    for (top, left, bottom, right), seen in zip(boxes, reached, strict=True):
        rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        assert (rows[0], columns[0], rows[-1] + 1, columns[-1] + 1) == (top, left, bottom, right)


def test_the_manifest_says_what_the_units_are(atlas: Atlas) -> None:
    manifest = atlas.manifest
    assert (manifest.model, manifest.inputs, manifest.length, manifest.n_contexts) == ("Net", "images", 1, 40)
    found = [(site.name, site.unit, site.n_units, site.width, site.activation) for site in manifest.sites]
    assert found == [
        ("conv1", "channel", 5, 18, "relu"),
        ("conv2", "channel", 4, 30, "gelu_pytorch_tanh"),
        ("fc", "unit", 3, 96, "linear"),
    ]
    assert atlas.images is not None and atlas.images.shape == (40, 12, 14) and atlas.images.dtype == np.uint8
    neuron = atlas.neuron(0, 0)
    assert neuron.key_ids.tolist() == [context % 3 for context in neuron.context]
    assert neuron.snippets[0].tokens == (str(neuron.context[0] % 3),) and neuron.name == "S0 #0"
    assert neuron.title == "S0 (conv1), channel 0"
    with pytest.raises(NbkitError, match="is of images: no other units read them"):
        _ = atlas.contexts


def test_the_same_arguments_open_it_again_and_others_are_refused(atlas: Atlas, net: Net, images: Tensor) -> None:
    shown, labels, names = images.mean(1), np.arange(40) % 3, ["conv1", "conv2", "fc"]
    again = nbkit.atlas_from_module(net, names, images, atlas.path, shown=shown, labels=labels, config=CONFIG)
    assert again.manifest == atlas.manifest
    with pytest.raises(NbkitError, match="holds an atlas of another model_sha256"):
        nbkit.atlas_from_module(net, names, images + 1, atlas.path, shown=shown, labels=labels, config=CONFIG)


def test_atlases_of_two_layers_join_with_their_boxes(net: Net, images: Tensor, atlas: Atlas, tmp_path: Path) -> None:
    shown, labels = images.mean(1), np.arange(40) % 3
    made = [
        nbkit.atlas_from_module(
            net, name, images, tmp_path / name, shown=shown, labels=labels, config=CONFIG, progress=False
        )
        for name in ("fc", "conv1", "conv2")
    ]
    both = nbkit.join_atlases(made, tmp_path / "both")
    assert both.boxes(0) is None
    for here, there in ((1, 0), (2, 1)):
        one, other = both.boxes(here), atlas.boxes(there)
        assert one is not None and other is not None and np.array_equal(one, other)
    assert np.array_equal(both.neuron(1, 2).pre_mlp, atlas.neuron(0, 2).pre_mlp)
    assert np.array_equal(both.images, atlas.images)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", range(1, 12))
def test_a_build_that_is_stopped_goes_on(
    number: int, net: Net, images: Tensor, atlas: Atlas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, labels, names = images.mean(1), np.arange(40) % 3, ["conv1", "conv2", "fc"]

    def build() -> Atlas:
        return nbkit.atlas_from_module(
            net, names, images, tmp_path / "atlas", shown=shown, labels=labels, config=CONFIG, progress=False
        )

    assert is_stopped(build, number, monkeypatch) == (number <= 11)
    assert sums(build().path) == sums(atlas.path)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("padding", [0, (2, 1), "same", "valid"])
@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("dilation", [1, (2, 1)])
def test_patches_times_weights_are_the_convolution(padding: Any, mode: str, dilation: Any) -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 4, (3, 2), padding=padding, dilation=dilation, padding_mode=mode)
    images = torch.rand(2, 3, 9, 8)
    with torch.no_grad():
        given = by_position(layer, layer(images))
        computed = read_by(layer, images) @ layer.weight.flatten(1).T + layer.bias
    torch.testing.assert_close(computed, given)


def test_any_two_activation_functions_differ_where_they_are_told_apart() -> None:
    points = torch.tensor(POINTS[:2])
    values = [tuple(activation_function(name)(points).tolist()) for name in LOOKED_FOR]
    for place, one in enumerate(values):
        for other in values[place + 1 :]:
            assert not np.allclose(one, other, rtol=1e-5, atol=1e-5)


class Followed(nn.Module):
    """A linear layer with something behind it."""

    def __init__(self, behind: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.fc, self.behind = nn.Linear(6, 4), behind

    def forward(self, x: Tensor) -> Tensor:
        return self.behind(self.fc(x))


@pytest.mark.parametrize(
    ("behind", "name"),
    [
        (nn.ReLU(), "relu"),
        (nn.ReLU(inplace=True), "relu"),
        (nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 2)), "relu"),
        (nn.ReLU6(), "relu6"),
        (lambda x: x.clamp_min(0), "relu"),
        (lambda x: torch.maximum(x, torch.zeros(())), "relu"),
        (nn.GELU(), "gelu"),
        (nn.GELU("tanh"), "gelu_pytorch_tanh"),
        (functional.silu, "silu"),
        (functional.mish, "mish"),
        (torch.tanh, "tanh"),
        (lambda x: x.sigmoid(), "sigmoid"),
        (lambda x: functional.leaky_relu(x), "leaky_relu"),
        (lambda x: x, "linear"),
        (lambda x: functional.relu(functional.dropout(x.view(-1, 2, 2), training=False)), "relu"),
    ],
)
def test_the_function_behind_a_layer_is_found(behind: Callable[[Tensor], Tensor], name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    texts = [f"text {number}" for number in range(20)]
    atlas = nbkit.atlas_from_module(
        Followed(behind), "fc", torch.randn(20, 6), tmp_path / "atlas", shown=texts, progress=False
    )
    assert atlas.manifest.sites[0].activation == name


@pytest.mark.parametrize(
    ("behind", "said"),
    [
        (nn.LeakyReLU(0.2), "leaky_relu"),
        (nn.Softmax(-1), "softmax"),
        (lambda x: x + 1, "add"),
        (lambda x: torch.relu(torch.cat([x, x], 1)), "cat"),
        (lambda x: torch.zeros(()) - x, "sub"),
        (lambda x: x.relu() + x.tanh(), "relu, tanh"),
        (lambda x: x * torch.sigmoid(x), "mul, sigmoid"),
        (lambda x: x + torch.relu(x), "add, relu"),
    ],
)
def test_a_function_that_is_not_known_is_refused(behind: Callable[[Tensor], Tensor], said: str, tmp_path: Path) -> None:
    texts, data, module = [f"{n}" for n in range(20)], torch.randn(20, 6), Followed(behind)
    with pytest.raises(NbkitError, match=f"fc's output goes to .*{said}.*: give activation"):
        nbkit.atlas_from_module(module, "fc", data, tmp_path / "atlas", shown=texts, progress=False)
    assert not (tmp_path / "atlas").exists()
    told = nbkit.atlas_from_module(
        module, "fc", data, tmp_path / "told", shown=texts, activation="linear", progress=False
    )
    expected = module.fc(data).detach().amax(0)
    np.testing.assert_allclose(told.neurons["max_activation"], expected.numpy(), rtol=1e-5)


class Grouped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.deep = nn.Conv2d(2, 4, 3, groups=2), nn.Sequential(nn.Conv2d(4, 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.deep(self.conv(x).repeat(2, 1, 1, 1)))


def test_what_cannot_be_honored_is_refused(net: Net, images: Tensor, tmp_path: Path) -> None:
    out = tmp_path / "atlas"
    shown = images.mean(1)

    def refused(message: str, module: Any, layers: Any, inputs: Any, **kwargs: Any) -> None:
        with pytest.raises(NbkitError, match=re.escape(message)):
            nbkit.atlas_from_module(module, layers, inputs, out, progress=False, **kwargs)
        assert not out.exists()

    refused("Net has no linear layer or convolution 'conv3': the nearest is 'conv2'", net, "conv3", images)
    refused("module is of type str: give a torch.nn.Module", "net", "conv1", images)
    refused("layers is empty: give at least one name", net, [], images, shown=shown)
    refused("inputs are no tensor (n, …)", net, "conv1", images.numpy())
    refused("images have shape (40, 2, 12, 14): give (n, height, width)", net, "conv1", images)
    refused("images hold float32 from -", net, "conv1", images, shown=shown - 2)
    refused("there are 39 inputs and 40 rows of what is read", net, "conv1", images, shown=shown[1:])
    refused("there are 3 labels and 40 inputs", net, "conv1", images, shown=shown, labels=[1, 2, 3])
    refused("labels hold [1]: give strings or numbers", net, "conv1", images, shown=shown, labels=[[1]] * 40)
    refused("show images of the inputs' size", net, "conv1", images, shown=shown[:, 1:])
    refused(
        "the layers have up to 120 positions, and the texts that are shown have 1",
        net,
        "conv1",
        images,
        shown=["a"] * 40,
    )
    refused(
        "activation names 'fc', which is none of the layers conv1",
        net,
        "conv1",
        images,
        shown=shown,
        activation={"fc": "relu"},
    )
    refused("unknown activation function 'rely'", net, "conv1", images, shown=shown, activation="rely")
    grouped = Grouped()
    refused("conv is a convolution in 2 groups", grouped, "conv", images, shown=shown)
    refused("deep.0 gives 8 rows for 4 inputs", grouped, "deep.0", images, shown=shown, activation="relu")
    twice = nn.Sequential(nn.Linear(6, 6), nn.ReLU())
    twice.append(twice[0])
    refused("0 is called 2 times in a pass", twice, "0", torch.randn(5, 6), shown=["a"] * 5, activation="relu")


def test_convolutions_are_exact_on_a_gpu_too(tmp_path: Path) -> None:
    """cuDNN's settings, where there is one: no rounding of factors, and no choice between ways."""
    seen = set()

    class Watcher(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            cudnn = torch.backends.cudnn
            seen.add((cudnn.enabled, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark))
            return super().forward(x)

    def settings() -> tuple[bool, bool, bool, bool]:
        cudnn = torch.backends.cudnn
        return cudnn.enabled, cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark

    before = settings()
    images = torch.rand(6, 1, 6, 6)
    nbkit.atlas_from_module(nn.Sequential(Watcher(1, 2, 3)), "0", images, tmp_path / "a", progress=False, config=CONFIG)
    assert seen == {(True, False, True, False)}
    assert settings() == before
