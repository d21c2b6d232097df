"""The names that formats' places are given are those of the vectors there, in models of several architectures."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nbkit.models import LanguageModel, load_model
from nbkit.sae.foreign.gemma_scope import GIVEN, of_gemma_3
from nbkit.sae.hooks import after_rewriting, in_block, read_by
from tests.examples.architectures import ARCHITECTURES
from tests.examples.processed_weights import processed_vectors
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


@pytest.mark.parametrize("told", [{}, {"center_writing_weights": False}], ids=["centered", "uncentered"])
def test_vectors_that_transformer_lens_changes(told: dict[str, bool], tmp_path: Path) -> None:
    """The name that each is given after folding and centering is that of the vectors that are there then."""
    network = next(each for each in ARCHITECTURES if each.kind == "GPT2LMHeadModel").make()
    rewritten = processed_vectors(network, tmp_path, CONTEXTS, **told)
    model = load_model(tmp_path, dtype="float32", device="cpu")
    ends = ("resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out")
    for name in (
        *(f"hook_{end}" for end in ends),
        "attn.hook_z",
        "mlp.hook_in",
        "ln2.hook_normalized",
        "mlp.hook_post",
    ):
        hook = f"blocks.1.{name}"
        after, expected = after_rewriting(hook, centered=not told), rewritten(hook)
        close = torch.allclose(captured(model, after or hook), expected, atol=1e-4)
        assert close == (after is not None), hook
