"""The names that formats' places are given are those of the vectors there, in models of several architectures."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from transformer_lens.model_bridge import TransformerBridge

from nbkit.models import LanguageModel, load_model
from nbkit.sae.foreign.gemma_scope import GIVEN, of_gemma_3
from nbkit.sae.hooks import in_block, is_left_alone, read_by
from tests.examples.architectures import ARCHITECTURES
from tests.examples.tiny_models import make_tokenizer, random_contexts

CONTEXTS = random_contexts(5, 12, seed=3)
KINDS = ("GPT2LMHeadModel", "GPTNeoXForCausalLM", "LlamaForCausalLM", "BloomForCausalLM", "Gemma2ForCausalLM")


def model_of(kind: str) -> LanguageModel:
    return load_model(next(each for each in ARCHITECTURES if each.kind == kind).make(), tokenizer=make_tokenizer())


def passing(model: LanguageModel, module: nn.Module) -> tuple[Tensor, Tensor]:
    """What a module reads, as PyTorch hands it over, and what it gives."""
    seen: list[Tensor] = []

    def take(_: nn.Module, args: tuple[Tensor, ...], output: Tensor | tuple[Tensor, ...]) -> None:
        seen.extend((args[0], output if isinstance(output, Tensor) else output[0]))

    handle = module.register_forward_hook(take)
    with torch.inference_mode():
        model.network(input_ids=torch.from_numpy(CONTEXTS.tokens).long(), use_cache=False)
    handle.remove()
    read, gave = (vectors[:, torch.from_numpy(~CONTEXTS.special)] for vectors in seen)
    return read, gave


def captured(model: LanguageModel, hook: str | None) -> Tensor:
    assert hook is not None
    return torch.cat(list(model.capture(CONTEXTS, hook)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", ["", ".mlp", ".self_attn.o_proj"])
def test_what_modules_read(kind: str, part: str) -> None:
    model = model_of(kind)
    names = [name for name, _ in model.network.named_modules() if name.endswith(f".1{part}")]
    modules = [name for name in names if in_block(name) is not None]
    assert modules or part == ".self_attn.o_proj"
    for name in modules:
        read, _ = passing(model, model.network.get_submodule(name))
        assert torch.equal(captured(model, read_by(name)), read)


@pytest.mark.parametrize("kind", ["Gemma2ForCausalLM", "Gemma3ForCausalLM"])
def test_what_modules_of_gemma_give(kind: str) -> None:
    model = model_of(kind)
    for part in (None, *filter(None, GIVEN), "self_attn.o_proj"):
        name = "model.layers.1" if part is None else f"model.layers.1.{part}"
        read, gave = passing(model, model.network.get_submodule(name))
        if part == "self_attn.o_proj":
            assert torch.equal(captured(model, of_gemma_3(f"{name}.input")), read)
        else:
            assert of_gemma_3(f"{name}.output") == f"blocks.1.{GIVEN[part]}"
            assert torch.equal(captured(model, of_gemma_3(f"{name}.output")), gave)


def test_vectors_that_transformer_lens_changes(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Folding, centering and value biases change some vectors and leave others alone."""
    network = next(each for each in ARCHITECTURES if each.kind == "GPT2LMHeadModel").make()
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    folder = tmp_path_factory.mktemp("network")
    network.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    bridge = TransformerBridge.boot_transformers(str(folder), device="cpu")
    tokens = torch.from_numpy(CONTEXTS.tokens).long()
    with torch.inference_mode():
        _, as_they_are = bridge.run_with_cache(tokens)
        bridge.enable_compatibility_mode()
        _, rewritten = bridge.run_with_cache(tokens)
    ends = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out")
    for name in (*(f"hook_{end}" for end in ends), "attn.hook_z", "ln2.hook_normalized", "mlp.hook_post"):
        hook = f"blocks.1.{name}"
        assert torch.allclose(as_they_are[hook], rewritten[hook], atol=1e-4) == is_left_alone(hook), hook
