"""Hook points in a model with processed weights, against TransformerLens' own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.models import LanguageModel, load_model
from tests.examples.architectures import ARCHITECTURES
from tests.examples.processed_weights import processed_vectors
from tests.examples.tiny_models import make_tokenizer, random_contexts

CONTEXTS = random_contexts(5, 12, seed=3, last_special=True)
STREAM = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post")
ADDED = ("hook_attn_out", "hook_mlp_out")
WITHIN = ("mlp.hook_in", "mlp.hook_post", "ln2.hook_normalized")
ALL = (*STREAM, *ADDED, *WITHIN)
PARALLEL = tuple(name for name in ALL if name != "hook_resid_mid")
IN_LENS = {
    "GPT2LMHeadModel": ALL,
    "GPTNeoXForCausalLM": PARALLEL,
    "GPTJForCausalLM": tuple(
        name for name in PARALLEL if name != "ln2.hook_normalized"
    ),  # what both parts read is ln1's
    "BloomForCausalLM": (*ADDED, *WITHIN),
    "LlamaForCausalLM": ALL,
    "Gemma2ForCausalLM": ALL,
}
WITH_RMS = ("LlamaForCausalLM", "Gemma2ForCausalLM")


def model_of(kind: str) -> LanguageModel:
    return load_model(next(each for each in ARCHITECTURES if each.kind == kind).make(), tokenizer=make_tokenizer())


def captured(model: LanguageModel, name: str) -> Tensor:
    return torch.cat(list(model.capture(CONTEXTS, name, batch_size=2)))


@pytest.mark.parametrize("kind", IN_LENS)
def test_they_are_those_of_transformer_lens(kind: str, tmp_path: Path) -> None:
    model = model_of(kind)
    expected = processed_vectors(model.network, tmp_path, CONTEXTS)
    for layer in range(model.n_layers):
        for name in IN_LENS[kind]:
            hook = f"blocks.{layer}.{name}"
            found, theirs = captured(model, f"{hook}:processed"), expected(hook)
            close = {"rtol": 0, "atol": 1e-5 * float(theirs.abs().max())}
            torch.testing.assert_close(found, theirs, **close)
            same = name in WITHIN[1:] or (kind in WITH_RMS and name != "mlp.hook_in")
            assert torch.equal(found, captured(model, hook)) == same, hook


@pytest.mark.parametrize("kind", ["Olmo2ForCausalLM", "GraniteForCausalLM"])
def test_a_stream_that_rms_norms_write_to_stays(kind: str) -> None:
    model = model_of(kind)
    for name in ("hook_resid_pre", "hook_resid_post"):
        assert torch.equal(captured(model, f"blocks.1.{name}:processed"), captured(model, f"blocks.1.{name}"))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_mean_is_taken_in_float32(dtype: torch.dtype, tiny_folder: Callable[[str], Path]) -> None:
    model = load_model(tiny_folder("gpt2"), dtype=str(dtype).removeprefix("torch."), device="cpu")  # type: ignore[arg-type]
    with torch.no_grad():
        model.network.transformer.wpe.weight.add_(40)
    plain, found = (captured(model, f"blocks.1.hook_resid_pre{end}") for end in ("", ":processed"))
    assert found.dtype == dtype
    expected = (plain.double() - plain.double().mean(-1, keepdim=True)).to(dtype)
    torch.testing.assert_close(found, expected, rtol=torch.finfo(dtype).eps, atol=1e-5)


KNOWN = "it can for hook_resid_pre, .*, mlp.hook_post, ln2.hook_normalized of a block"
UNTOLD = "not one that only layer norms read and none writes to, .*use an autoencoder of unprocessed weights"


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("GPT2LMHeadModel", "blocks.1.attn.hook_z", rf"model .*, blocks\.1\.attn\.hook_z:processed: .*{KNOWN}"),
        ("GPT2LMHeadModel", "blocks.1.mlp.hook_out", KNOWN),
        ("GPT2LMHeadModel", "h.1.mlp", rf"model .*, h\.1\.mlp:processed: .*{KNOWN}"),
        ("LlamaForCausalLM", "layers.1", KNOWN),
        ("LlamaForCausalLM", "blocks.1.attn.hook_z", KNOWN),
        ("BloomForCausalLM", "blocks.1.hook_resid_pre", UNTOLD),  # a LayerNorm of the embeddings
        ("BertForMaskedLM", "blocks.1.hook_resid_post", UNTOLD),
        ("OpenAIGPTLMHeadModel", "blocks.1.hook_resid_pre", UNTOLD),
        ("OpenAIGPTLMHeadModel", "blocks.1.mlp.hook_in", KNOWN),
        ("GPT2LMHeadModel", "blocks.1.hook_resid_pst", "the nearest is blocks.1.hook_resid_post"),
        ("GPTNeoXForCausalLM", "blocks.1.hook_resid_mid", "has no hook point 'blocks.1.hook_resid_mid:processed'"),
        ("GPT2LMHeadModel", "", "has no hook point ':processed'"),
    ],
)
def test_what_is_not_known_is_refused(kind: str, name: str, message: str) -> None:
    with pytest.raises(NbkitError, match=message):
        model_of(kind).hook_point(f"{name}:processed")
