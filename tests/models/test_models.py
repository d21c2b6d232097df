"""Opening a language model, and capturing what its MLP neurons read and give, against Hugging Face's own modules."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from nbkit.errors import NbkitError
from nbkit.models import LanguageModel, activation_function, load_model
from nbkit.models.opening import is_finite
from tests.examples.tiny_models import D_MLP, D_MODEL, N_CTX, N_LAYERS, make_network, random_contexts

ARCHITECTURES = ("gpt2", "bert", "llama", "phi3", "gemma2")
GATED = {"gpt2": False, "bert": False, "llama": True, "phi3": True, "gemma2": True}

# For each architecture a layer's modules in Hugging Face's model: whose input is the pre-MLP vector, whose input the
# neurons' activations are, the layer norm before, and the tensors of the weights.
MODULES = {
    "gpt2": ("transformer.h.{}.mlp", "transformer.h.{}.mlp.c_proj", "transformer.h.{}.ln_2"),
    "bert": (
        "bert.encoder.layer.{}.intermediate.dense",
        "bert.encoder.layer.{}.output.dense",
        "bert.encoder.layer.{}.attention.output.LayerNorm",
    ),
    "llama": ("model.layers.{}.mlp", "model.layers.{}.mlp.down_proj", "model.layers.{}.post_attention_layernorm"),
    "phi3": ("model.layers.{}.mlp", "model.layers.{}.mlp.down_proj", "model.layers.{}.post_attention_layernorm"),
    "gemma2": ("model.layers.{}.mlp", "model.layers.{}.mlp.down_proj", "model.layers.{}.pre_feedforward_layernorm"),
}


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails the test if anything looks up or connects to another machine."""
    asked = []

    def refuse(*arguments: object, **_: object) -> None:
        asked.append(arguments)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield
    assert not asked


def tokens(n: int = 3, length: int = 40) -> Tensor:
    return torch.from_numpy(random_contexts(n, length, seed=5).tokens)


def capture_all(model: LanguageModel, layers: list[int]) -> dict[int, tuple[Tensor, Tensor]]:
    captured: dict[int, tuple[Tensor, Tensor]] = {}

    def keep(layer: int, pre_mlp: Tensor, activations: Tensor) -> None:
        captured[layer] = pre_mlp.clone(), activations.clone()

    with model.captured(layers, keep) as run:
        run(tokens())
    return captured


def fresh_network(architecture: str, folder: Path) -> PreTrainedModel:
    """The same weights, opened by Hugging Face alone; some of its releases choose an attention that leaves out the
    soft cap of Gemma 2."""
    network: PreTrainedModel = type(make_network(architecture)).from_pretrained(folder, attn_implementation="eager")
    return network.eval()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_captures_what_the_hugging_face_model_computes(
    architecture: str, tiny_folder: Callable[[str], Path], tiny_model: Callable[[str], LanguageModel]
) -> None:
    network, expected = fresh_network(architecture, tiny_folder(architecture)), {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        return lambda _, args: expected.update({name: args[0]})

    for layer in range(N_LAYERS):
        for name in MODULES[architecture][:2]:
            network.get_submodule(name.format(layer)).register_forward_pre_hook(keep(name.format(layer)))
    with torch.inference_mode():
        network(input_ids=tokens().long())
    captured = capture_all(tiny_model(architecture), list(range(N_LAYERS)))
    for layer in range(N_LAYERS):
        for values, name in zip(captured[layer], MODULES[architecture], strict=False):
            torch.testing.assert_close(values, expected[name.format(layer)], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_says_what_the_model_is(architecture: str, tiny_model: Callable[[str], LanguageModel]) -> None:
    model = tiny_model(architecture)
    assert (model.n_layers, model.d_model, model.d_mlp, model.n_ctx) == (N_LAYERS, D_MODEL, D_MLP, N_CTX)
    assert model.gated is GATED[architecture]
    assert model.causal is (architecture != "bert")
    # Gemma 2 caps its attention scores, which only eager attention does.
    assert model.attention == ("eager" if architecture == "gemma2" else "sdpa")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_weights_reproduce_the_activations(architecture: str, tiny_model: Callable[[str], LanguageModel]) -> None:
    model = tiny_model(architecture)
    act_fn = activation_function(model.activation)
    for layer, (pre_mlp, activations) in capture_all(model, list(range(N_LAYERS))).items():
        weights = model.neuron_weights(layer)
        assert weights.w_in.shape == (D_MLP, D_MODEL) and weights.b_in.shape == (D_MLP,)
        torch.testing.assert_close(weights.activations(pre_mlp, act_fn), activations, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_folding_moves_the_layer_norm_into_the_weights(
    architecture: str, tiny_folder: Callable[[str], Path], tiny_model: Callable[[str], LanguageModel]
) -> None:
    model, network = tiny_model(architecture), fresh_network(architecture, tiny_folder(architecture))
    captured = capture_all(model, list(range(N_LAYERS)))
    for layer in range(N_LAYERS):
        norm = network.get_submodule(MODULES[architecture][2].format(layer))
        scale = norm.weight.detach() + (1 if architecture == "gemma2" else 0)
        shift = torch.zeros(D_MODEL) if getattr(norm, "bias", None) is None else norm.bias.detach()
        torch.testing.assert_close(model.norm(layer).scale, scale)
        torch.testing.assert_close(model.norm(layer).shift, shift)
        native, folded = model.neuron_weights(layer), model.neuron_weights(layer, folded=True)
        torch.testing.assert_close(folded.w_in, native.w_in * scale)
        pre_mlp = captured[layer][0]
        normalized = (pre_mlp - shift) / scale
        act_fn = activation_function(model.activation)
        torch.testing.assert_close(
            folded.activations(normalized, act_fn), native.activations(pre_mlp, act_fn), rtol=1e-3, atol=1e-3
        )
        torch.testing.assert_close(normalized.square().mean(-1), torch.ones(3, 40), rtol=1e-3, atol=1e-3)


def test_a_zero_scale_cannot_be_folded(tiny_folder: Callable[[str], Path]) -> None:
    model = load_model(tiny_folder("gpt2"), dtype="float32", device="cpu")
    with torch.no_grad():
        model.network.transformer.h[1].ln_2.weight[3] = 0
    assert model.neuron_weights(0, folded=True).w_in.shape == (D_MLP, D_MODEL)
    with pytest.raises(NbkitError, match=r"layer 1.*zero scale; use weights='native'"):
        model.neuron_weights(1, folded=True)


def structure(model: LanguageModel) -> list[tuple[str, int, int, int]]:
    """Every module of the model with its identity and its numbers of hooks."""
    return [
        (name, id(module), len(module._forward_hooks), len(module._forward_pre_hooks))
        for name, module in model.network.named_modules(remove_duplicate=False)
    ]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_leaves_the_model_as_it_was(architecture: str, tiny_model: Callable[[str], LanguageModel]) -> None:
    model = tiny_model(architecture)
    before = structure(model)
    capture_all(model, [0, 2])
    assert structure(model) == before

    def fail(layer: int, pre_mlp: Tensor, activations: Tensor) -> None:
        raise RuntimeError("the capture failed")

    with pytest.raises(RuntimeError, match="the capture failed"), model.captured([1], fail) as run:
        run(tokens())
    assert structure(model) == before
    model.check()
    assert structure(model) == before


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_computes_nothing_behind_the_last_layer(architecture: str, tiny_model: Callable[[str], LanguageModel]) -> None:
    model, computed = tiny_model(architecture), []
    block = MODULES[architecture][0].split("{}")[0]

    def count(name: str) -> Callable[..., None]:
        return lambda *_: computed.append(name)

    with model.captured([1], lambda *_: None) as run:
        modules = model.network.named_modules()
        handles = [module.register_forward_hook(count(name)) for name, module in modules]
        run(tokens())
        for handle in handles:
            handle.remove()
    blocks = {name.removeprefix(block).split(".")[0] for name in computed if name.startswith(block)}
    assert blocks == {"0", "1"}
    assert MODULES[architecture][1].format(0) in computed
    assert MODULES[architecture][1].format(1) not in computed
    assert not [
        name for name in computed if "lm_head" in name or "cls" in name or name.endswith(("ln_f", "model.norm"))
    ]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_runs_in_half_precision(dtype: str, tiny_folder: Callable[[str], Path]) -> None:
    model = load_model(tiny_folder("llama"), dtype=dtype, device="cpu")  # type: ignore[arg-type]
    pre_mlp, activations = capture_all(model, [2])[2]
    assert pre_mlp.dtype == activations.dtype == model.dtype == getattr(torch, dtype)
    assert model.neuron_weights(2).w_in.dtype == torch.float32


@pytest.mark.parametrize(("has_bfloat16", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_is_bfloat16_where_the_processor_has_it(
    has_bfloat16: bool, expected: torch.dtype, tiny_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: has_bfloat16)
    assert load_model(tiny_folder("gpt2"), device="cpu").dtype == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dtype": "int8"}, "unknown dtype 'int8': choose auto"),
        ({"dtype": ["float32"]}, r"unknown dtype \['float32'\]: choose auto"),
        ({"device": "banana"}, "device 'banana' is not available"),
        ({"device": "meta"}, "device 'meta' is not available"),
        ({"device": 3.5}, "device is 3.5: give the name of one"),
        ({"tokenizer": "gpt2"}, "tokenizer is a str: give the Hugging Face tokenizer itself"),
    ],
)
def test_an_impossible_precision_or_device_is_refused(
    arguments: dict[str, str], message: str, tiny_folder: Callable[[str], Path]
) -> None:
    with pytest.raises(NbkitError, match=message):
        load_model(tiny_folder("gpt2"), **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("architecture", "field", "what"),
    [("gpt2", "w_in", "pre-activation"), ("bert", "b_in", "pre-activation"), ("llama", "w_gate", "activation")],
)
def test_the_check_notices_wrong_weights(
    architecture: str,
    field: str,
    what: str,
    tiny_model: Callable[[str], LanguageModel],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right = LanguageModel.neuron_weights

    def wrong(model: LanguageModel, layer: int, *, folded: bool = False) -> object:
        weights = right(model, layer, folded=folded)
        values = getattr(weights, field)
        return replace(weights, **{field: values + 0.01 * values.abs().max()}) if layer == 1 else weights

    monkeypatch.setattr(LanguageModel, "neuron_weights", wrong)
    with pytest.raises(NbkitError, match=rf"layer 1: .* don't reproduce the {what} \("):
        tiny_model(architecture).check()


def test_a_model_that_rounds_a_single_context_otherwise_opens(
    tiny_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU multiplies matrices of another shape in another order; through many layers of a large model in half
    precision that may be more than the check allows."""
    forward = LlamaDecoderLayer.forward

    def rounded(self: LlamaDecoderLayer, hidden: Tensor, *args: object, **more: object) -> Tensor:
        given: Tensor = forward(self, hidden, *args, **more)  # type: ignore[arg-type]
        return given + 0.1 * given.roll(1, dims=-1) if len(given) == 1 else given

    monkeypatch.setattr(LlamaDecoderLayer, "forward", rounded)
    assert load_model(tiny_folder("llama")).n_layers == N_LAYERS


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(
    value: float, tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny_folder("gpt2"), tmp_path / "broken")
    weights = load_file(folder / "model.safetensors")
    weights["transformer.h.1.attn.c_attn.weight"][2, 7] = value
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(NbkitError, match=r"'transformer\.h\.1\.attn\.c_attn\.weight' holds NaN or infinite values"):
        load_model(folder, dtype="float32", device="cpu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float8_e5m2])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_one_value_that_is_not_finite_is_found_anywhere(value: float, dtype: torch.dtype) -> None:
    for place in (0, 30, 31, 32, 99):
        values = torch.linspace(-3, 3, 100)
        assert is_finite(values.to(dtype))
        values[place] = value
        assert not is_finite(values.to(dtype))


def test_experts_are_refused(tiny_folder: Callable[[str], Path]) -> None:
    with pytest.raises(NbkitError, match="no plain or gated MLP neurons in every layer"):
        load_model(tiny_folder("mixtral"), dtype="float32", device="cpu")


@pytest.mark.parametrize("name", ["./nowhere", "~/no/such/model", "empty"])
def test_a_folder_without_a_model_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        NbkitError, match=r"no model in folder .*: a local model is a Hugging Face folder with a config"
    ):
        load_model(name)


def test_a_damaged_config_is_refused(tmp_path: Path, no_network: None) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(NbkitError, match=r"can't open model .*: give smollm2-135m, a hub id .* or a local") as error:
        load_model(tmp_path)
    assert "\n" not in str(error.value)


def test_offline_asks_no_hub(monkeypatch: pytest.MonkeyPatch, no_network: None) -> None:
    monkeypatch.setenv("NBKIT_OFFLINE", "1")
    for name in ("nobody/has-this-model", "not a/hub id"):
        with pytest.raises(NbkitError, match="not in the hub client's cache, and NBKIT_OFFLINE forbids fetching it"):
            load_model(name)


def test_an_unknown_model_tells_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_hub(*_: object, **__: object) -> None:
        raise OSError("nobody/has-this-model is not a model\nand more lines")

    monkeypatch.setattr("transformers.AutoConfig.from_pretrained", no_hub)
    with pytest.raises(NbkitError) as error:
        load_model("nobody/has-this-model")
    assert str(error.value) == (
        "can't open model 'nobody/has-this-model': give smollm2-135m, a hub id that is in reach, or a local Hugging "
        "Face folder (OSError: nobody/has-this-model is not a model)"
    )


def test_a_local_model_needs_no_network(tiny_folder: Callable[[str], Path], no_network: None) -> None:
    assert load_model(tiny_folder("llama"), dtype="float32", device="cpu").n_layers == N_LAYERS


def test_a_layer_that_is_not_there_is_refused(tiny_model: Callable[[str], LanguageModel]) -> None:
    with pytest.raises(NbkitError, match="has no layer 3: its layers are 0 to 2"):
        tiny_model("gpt2").neuron_weights(3)
    with (
        pytest.raises(NbkitError, match="has no layer -1"),
        tiny_model("gpt2").captured([-1], lambda *_: None),
    ):
        pass


def test_an_unknown_activation_function_is_refused() -> None:
    with pytest.raises(NbkitError, match="unknown activation function 'solu_ln'"):
        activation_function("solu_ln")
