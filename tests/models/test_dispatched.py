"""Models whose weights accelerate keeps elsewhere: they are what they are on one device, and stay where they are."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import cpu_offload, disk_offload
from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from nbkit.errors import NbkitError
from nbkit.models import LanguageModel, load_model
from nbkit.models.dispatched import device_of
from nbkit.models.hook_points import HookPoint, hooked
from nbkit.models.neurons import units_of
from nbkit.models.trace import trace
from tests.examples.tiny_models import make_network, make_tokenizer, random_contexts
from tests.models.test_loaded import captured, state
from tests.models.test_models import fresh_network

ARCHITECTURES = ("gpt2", "bert", "phi3", "gemma2")
ALL_ON_DISK = {"": "disk"}


def opened(folder: Path, **options: Any) -> LanguageModel:
    return load_model(folder, dtype="float32", **options)


def n_elsewhere(network: nn.Module) -> int:
    return sum(each.device.type == "meta" for each in network.parameters())


def facts(model: LanguageModel) -> Iterator[Tensor]:
    """What equations and atlases are made of."""
    yield from captured(model)
    for layer in range(model.n_layers):
        yield from (each for each in vars(model.neuron_weights(layer)).values() if each is not None)
        yield from units_of(model).logit_effects()(layer).values()
    if model.mlps[0].norm is not None:
        yield from (model.norm(1).scale, model.norm(1).shift)
    for hook in ("blocks.1.hook_resid_post", "blocks.1.mlp.hook_in"):
        yield from model.capture(random_contexts(3, 20), hook, batch_size=2)


def check_same(model: LanguageModel, expected: LanguageModel) -> None:
    assert model.fingerprint == expected.fingerprint
    assert (model.mlps, model.attention, model.causal) == (expected.mlps, expected.attention, expected.causal)
    pairs = list(zip(facts(model), facts(expected), strict=True))
    assert len(pairs) > 15
    for value, other in pairs:
        torch.testing.assert_close(value, other, rtol=0, atol=0)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_weights_on_disk_are_those_of_the_files(
    architecture: str, tiny_folder: Callable[[str], Path], tiny_model: Callable[[str], LanguageModel]
) -> None:
    model = opened(tiny_folder(architecture), device_map=ALL_ON_DISK)
    n = len(list(model.network.parameters()))
    assert n_elsewhere(model.network) == n and model.device == torch.device("cpu")
    check_same(model, tiny_model(architecture))
    assert n_elsewhere(model.network) == n  # nothing was left behind


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_model_that_was_spread_is_taken_and_stays_as_it_is(
    architecture: str,
    tiny_folder: Callable[[str], Path],
    tiny_model: Callable[[str], LanguageModel],
    tmp_path: Path,
) -> None:
    ways: list[Callable[[Any], Any]] = [
        lambda each: cpu_offload(each, "cpu"),
        lambda each: disk_offload(each, tmp_path / "disk", "cpu"),
    ]
    for spread in ways:
        network = spread(fresh_network(architecture, tiny_folder(architecture)))
        before, hooks = state(network), [getattr(each, "_hf_hook", None) for each in network.modules()]
        model = load_model(network)
        check_same(model, tiny_model(architecture))
        assert state(network) == before
        assert [getattr(each, "_hf_hook", None) for each in network.modules()] == hooks


def test_accelerate_fills_the_memory_it_may(
    tiny_folder: Callable[[str], Path], tiny_model: Callable[[str], LanguageModel]
) -> None:
    memory: dict[int | str, int | str] = {"cpu": "60KB"}
    model = opened(tiny_folder("llama"), device_map="auto", max_memory=memory)
    assert 0 < n_elsewhere(model.network) < len(list(model.network.parameters())) and memory == {"cpu": "60KB"}
    assert set(model.network.hf_device_map.values()) == {"cpu", "disk"}
    check_same(model, tiny_model("llama"))
    whole = opened(tiny_folder("llama"), device_map="auto")
    assert n_elsewhere(whole.network) == 0 and whole.fingerprint == model.fingerprint


def test_a_model_that_is_changed_where_it_is_kept_is_another(tiny_folder: Callable[[str], Path]) -> None:
    network = fresh_network("llama", tiny_folder("llama"))
    model = load_model(cpu_offload(network, "cpu"))
    first, kept = model.fingerprint, network.model.layers[1].mlp.up_proj._hf_hook.weights_map["weight"]
    kept[3, 5] += 1
    changed = load_model(network)
    assert changed.fingerprint != first and changed.neuron_weights(1).w_in[3, 5] == kept[3, 5]
    assert copy.deepcopy(changed).fingerprint == changed.fingerprint


def test_weights_that_are_no_safetensors_go_to_a_folder_of_each_opening(
    tiny_folder: Callable[[str], Path], tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    network, folder, disk = fresh_network("phi3", tiny_folder("phi3")), tmp_path / "model", tmp_path / "disk"
    network.config.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(NbkitError, match=r"must be written again to be kept on disk, give offload_folder"):
        opened(folder, device_map=ALL_ON_DISK)
    models = [opened(folder, device_map=ALL_ON_DISK, offload_folder=disk) for _ in range(2)]
    own = list(disk.iterdir())
    assert len(own) == 2 and all(list(each.glob("*.safetensors")) for each in own)
    check_same(models[0], tiny_model("phi3"))


def test_vectors_of_several_devices_come_to_the_first() -> None:
    """On GPUs that aren't there: PyTorch's tensors without values know their devices, and refuse to mix them."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up, self.down = nn.Linear(6, 8), nn.Linear(8, 6)

        def forward(self, h: Tensor, first: Tensor) -> Tensor:
            added: Tensor = self.down(torch.relu(self.up(h)))
            return h + first + added

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens, self.layers = nn.Embedding(9, 6), nn.ModuleList(Block() for _ in range(3))

        def forward(self, input_ids: Tensor, use_cache: bool) -> Tensor:
            first: Tensor = self.tokens(input_ids)
            h = first
            for layer in self.layers:
                h = layer(h, first)
            return h

    def place(module: nn.Module, device: str) -> nn.Module:
        for each in module.modules():
            for name, tensor in each._parameters.items():
                each._parameters[name] = nn.Parameter(torch.empty(tensor.shape, device=device))
        return module

    first, network = torch.device("cuda:0"), Network()
    with FakeTensorMode():
        place(network, "cuda:0")
        for far in list(network.layers)[1:]:
            add_hook_to_module(place(far, "cuda:1"), AlignDevicesHook("cuda:1", place_submodules=True))
        add_hook_to_module(network, AlignDevicesHook("cuda:0", io_same_device=True))
        assert device_of(network) == first
        found: list[Tensor] = []
        points = [HookPoint("down", block.down, True, 8) for block in network.layers]
        with hooked(network, first, points, lambda _, vectors: found.append(vectors)) as run:
            run(torch.zeros(2, 5, dtype=torch.long))
        assert [(each.device, each.shape) for each in found] == [(first, (2, 5, 8))] * 3
        calls = trace(network, torch.zeros(2, 5, dtype=torch.long, device=first)).blocks
        tensors = [each for call in calls for each in (*call.args, call.output)]
        assert len(tensors) == 9 and {each.device for each in tensors} == {first}


def test_what_cannot_be_honored_is_refused(tiny_folder: Callable[[str], Path]) -> None:
    model = opened(tiny_folder("gpt2"), device_map=ALL_ON_DISK)
    with pytest.raises(NbkitError, match=r"no TransformerLens bridge of model .* spread over devices: use `network`"):
        model.bridge  # noqa: B018
    taken = load_model(cpu_offload(fresh_network("gpt2", tiny_folder("gpt2")), "cpu"))
    with pytest.raises(NbkitError, match="can't be copied to another dtype or device"):
        load_model(taken.network, dtype="bfloat16", tokenizer=make_tokenizer())


def tied_in_two_places(embedding: str, head: str) -> dict[str, str]:
    rest = dict.fromkeys(("transformer.wpe", "transformer.h", "transformer.ln_f"), "cpu")
    return rest | {"transformer.wte": embedding, "lm_head": head}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device_map": "auto", "device": "cpu"}, "device and device_map were given: give one of them"),
        (
            {"device_map": "cuda:0"},
            "device_map is 'cuda:0': give auto, balanced, balanced_low_0, sequential, or a dict",
        ),
        ({"device_map": 0}, "device_map is 0: give auto"),
        ({"device_map": {}}, r"device_map is \{\}: give for each module's name"),
        ({"device_map": {"": None}}, "give for each module's name a GPU's number, cpu or disk"),
        ({"device_map": {"transformer.h": "cpu", "lm_head": "disk"}}, "with device_map .*does not give any device for"),
        ({"device_map": {"": "banana"}}, "device 'banana' is not available here"),
        ({"device_map": tied_in_two_places("cpu", "disk")}, "give weights that are tied the same place in device_map"),
        (
            {"device_map": tied_in_two_places("disk", "cpu")},
            "can't open model .* with device_map .* is on the meta",
        ),
        ({"device_map": ALL_ON_DISK, "max_memory": {"cpu": 1}}, "max_memory is for a device_map that accelerate finds"),
        ({"device_map": "auto", "max_memory": 5}, "max_memory is 5: give a dict from the numbers of GPUs and cpu"),
        ({"device_map": "auto", "max_memory": {"cpu": "much"}}, "with device_map 'auto' .*not in a valid format"),
        ({"max_memory": {"cpu": "1GB"}}, "max_memory and offload_folder are for a model that is spread"),
        ({"offload_folder": "somewhere"}, "max_memory and offload_folder are for a model that is spread"),
        ({"device_map": "auto", "offload_folder": 5}, "offload_folder is 5: give the path of a folder"),
        ({"device_map": "auto", "offload_folder": "/proc/nowhere"}, "/proc/nowhere"),
    ],
)
def test_options_that_do_not_fit_get_one_sentence(
    options: dict[str, Any], message: str, tiny_folder: Callable[[str], Path]
) -> None:
    with pytest.raises(NbkitError, match=message) as error:
        opened(tiny_folder("gpt2"), **options)
    assert len(str(error.value)) <= 400


def test_a_loaded_model_has_its_places_already() -> None:
    with pytest.raises(NbkitError, match="device_map is for a model that is opened by its name: give it to from_pre"):
        load_model(make_network("gpt2"), tokenizer=make_tokenizer(), device_map="auto")
