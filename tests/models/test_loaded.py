"""Models that a user has loaded: taken as they are, and left so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedModel

from nbkit.atlas.build import build_atlas
from nbkit.errors import NbkitError
from nbkit.models import LanguageModel, load_model
from tests.examples.tiny_models import make_network, make_tokenizer, random_contexts
from tests.models.test_models import fresh_network


def captured(model: LanguageModel) -> list[Tensor]:
    values: list[Tensor] = []
    tokens = torch.from_numpy(random_contexts(3, 20).tokens)
    with model.captured([0, 2], lambda _, *both: values.extend(each.clone() for each in both)) as run:
        run(tokens)
    return values


def state(root: nn.Module) -> list[Any]:
    """All of a network that could be altered on the way."""
    modules = [
        (name, id(module), module.training, list(module._forward_hooks), list(module._forward_pre_hooks))
        for name, module in root.named_modules(remove_duplicate=False)
    ]
    weights = [(name, id(each), each._version, each.requires_grad) for name, each in root.named_parameters()]
    return [modules, weights]


@pytest.mark.parametrize("architecture", ["bert", "phi3", "gemma2"])
def test_a_loaded_model_is_the_one_in_its_folder_and_stays_as_it_is(
    architecture: str, tiny_folder: Callable[[str], Path], tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    network = fresh_network(architecture, tiny_folder(architecture)).train()
    network.requires_grad_(False)
    next(network.parameters()).requires_grad = True
    seen: list[object] = []
    network.register_forward_hook(lambda *_: seen.append(1))
    before, config = state(network), network.config.to_dict() | {"attention": network.config._attn_implementation}
    model = load_model(network)
    tokens = [AutoTokenizer.from_pretrained(tiny_folder(architecture)).get_vocab(), model.tokenizer.get_vocab()]
    assert tokens[0] == tokens[1] and model.fingerprint == tiny_model(architecture).fingerprint
    for value, expected in zip(captured(model), captured(tiny_model(architecture)), strict=True):
        torch.testing.assert_close(value, expected, rtol=0, atol=0)
    build_atlas(model, random_contexts(4, 12), tmp_path, progress=False)
    assert model.bridge.original_model is not network
    assert state(network) == before and not seen
    assert network.config.to_dict() | {"attention": network.config._attn_implementation} == config
    assert model.network.get_input_embeddings().weight is network.get_input_embeddings().weight  # no second copy


def test_another_precision_is_a_copy(tiny_folder: Callable[[str], Path]) -> None:
    network = fresh_network("llama", tiny_folder("llama"))
    before = state(network)
    model = load_model(network, dtype="bfloat16")
    assert model.dtype == torch.bfloat16 and network.dtype == torch.float32 and state(network) == before
    assert load_model(network.to(torch.bfloat16)).dtype == torch.bfloat16  # its own, whatever the processor has


def test_a_tokenizer_is_asked_for_where_there_is_none(tmp_path: Path) -> None:
    network = make_network("gpt2")
    with pytest.raises(NbkitError, match=r"needs the tokenizer of model 'GPT2LMHeadModel' .*give it.* tokenizer="):
        load_model(network)
    network.save_pretrained(tmp_path)
    saved = type(network).from_pretrained(tmp_path)
    with pytest.raises(NbkitError, match=r"comes without a tokenizer: give the model's own, too, as tokenizer="):
        load_model(saved)
    tokenizer = make_tokenizer()
    before = tokenizer.backend_tokenizer.to_str()
    assert load_model(saved, tokenizer=tokenizer).tokenizer is tokenizer
    assert load_model(tmp_path, tokenizer=tokenizer).bridge.tokenizer is not tokenizer
    assert tokenizer.backend_tokenizer.to_str() == before


@pytest.mark.parametrize("architecture", ["gpt2", "phi3", "bert"])
def test_a_bridge_is_the_model_in_it_and_stays_as_it_is(
    architecture: str, tiny_folder: Callable[[str], Path], tiny_model: Callable[[str], LanguageModel]
) -> None:
    from transformer_lens.model_bridge import TransformerBridge

    bridge = TransformerBridge.boot_transformers(str(tiny_folder(architecture)), device="cpu")
    before = [state(root) for root in (bridge, bridge.original_model)]
    model = load_model(bridge)
    assert model.fingerprint == tiny_model(architecture).fingerprint
    # TransformerLens gives its tokenizer tokens of its own.
    assert model.tokenizer.special_tokens_map == tiny_model(architecture).tokenizer.special_tokens_map
    for value, expected in zip(captured(model), captured(tiny_model(architecture)), strict=True):
        torch.testing.assert_close(value, expected, rtol=0, atol=0)
    assert [state(root) for root in (bridge, bridge.original_model)] == before


def test_a_bridge_with_other_weights_is_refused(tiny_folder: Callable[[str], Path]) -> None:
    from transformer_lens.model_bridge import TransformerBridge

    bridge = TransformerBridge.boot_transformers(str(tiny_folder("gpt2")), device="cpu")
    bridge.enable_compatibility_mode()
    with pytest.raises(NbkitError, match=r"weights were changed by enable_compatibility_mode"):
        load_model(bridge)


def test_the_bridge_that_is_made_gives_what_the_model_gives(tiny_model: Callable[[str], LanguageModel]) -> None:
    model = tiny_model("phi3")
    names = ["blocks.2.mlp.in.hook_in", "blocks.2.mlp.out.hook_in"]
    tokens = torch.from_numpy(random_contexts(3, 20).tokens).long()
    with torch.inference_mode():
        _, cache = model.bridge.run_with_cache(tokens, names_filter=lambda name: name in names)
    for name, value in zip(names, captured(model)[2:], strict=True):
        torch.testing.assert_close(cache[name], value, rtol=1e-4, atol=1e-4)


def test_an_architecture_that_transformer_lens_does_not_know_has_no_bridge() -> None:
    from tests.examples.architectures import USUAL, make_network

    network = make_network("CamembertForMaskedLM", USUAL)
    with pytest.raises(NbkitError, match=r"TransformerLens makes no bridge of model .*: use `network`"):
        load_model(network, tokenizer=make_tokenizer()).bridge  # noqa: B018


def on_two_devices() -> PreTrainedModel:
    network = make_network("gpt2")
    network.lm_head.to("meta")
    return network


def quantized() -> PreTrainedModel:
    network = make_network("gpt2")
    network.config.quantization_config = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    return network


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Linear(2, 2), "load_model got a Linear: give smollm2-135m, a hub id"),
        (lambda: None, "load_model got a NoneType"),
        (lambda: [1], "load_model got a list"),
        (on_two_devices, r"model 'GPT2LMHeadModel' lies on cpu, meta: load it on one device"),
        (lambda: make_network("gpt2").double(), r"model 'GPT2LMHeadModel' is in torch.float64: choose dtype float32"),
        (quantized, r"model 'GPT2LMHeadModel' is quantized \(bitsandbytes\)"),
    ],
)
def test_anything_else_gets_one_sentence(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(NbkitError, match=message) as error:
        load_model(make(), tokenizer=make_tokenizer())
    assert len(str(error.value)) <= 300
