"""Hook points: against the sums that a block computes, TransformerLens' own; streamed, and kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nbkit.errors import NbkitError
from nbkit.files import write_tensors
from nbkit.models import LanguageModel, activation_files, load_model
from nbkit.models.activation_files import capture_activations
from nbkit.models.hook_points import find_places
from nbkit.models.trace import trace
from nbkit.sae.config import SaeConfig
from nbkit.sae.training import train_sae
from tests.examples.architectures import ARCHITECTURES, Architecture
from tests.examples.tiny_models import make_tokenizer, random_contexts

CONTEXTS = random_contexts(5, 12, seed=3, last_special=True)
TEXT = ~torch.from_numpy(CONTEXTS.special)
WITHOUT_STREAM = (
    *("OpenAIGPTLMHeadModel", "Olmo2ForCausalLM", "Olmo3ForCausalLM", "GraniteForCausalLM", "Exaone4ForCausalLM"),
    *("BertForMaskedLM", "BertModel", "BertForSequenceClassification", "BertLMHeadModel", "RobertaForMaskedLM"),
    *("XLMRobertaForMaskedLM", "CamembertForMaskedLM", "ElectraForMaskedLM", "MPNetForMaskedLM"),
    *("DebertaV2ForMaskedLM", "DistilBertForMaskedLM"),
)
"""Whose layer norms stand behind the sums, or that add multiples."""
COMPARED = (
    *("GPT2LMHeadModel", "GPTJForCausalLM", "GPTNeoXForCausalLM", "LlamaForCausalLM", "Gemma2ForCausalLM"),
    *("Glm4ForCausalLM", "Cohere2ForCausalLM", "BloomForCausalLM", "BertForMaskedLM"),
)
NOT_IN_LENS = {
    "GPTJForCausalLM": {"ln2.hook_normalized"},  # what both parts read is ln1's
    "Cohere2ForCausalLM": {"ln2.hook_normalized"},
    "BloomForCausalLM": {"mlp.hook_out"},  # its MLP's module adds to the stream by itself
}


def captured(model: LanguageModel, name: str) -> Tensor:
    return torch.cat(list(model.capture(CONTEXTS, name, batch_size=2)))


def of_last_block(architecture: Architecture) -> tuple[LanguageModel, dict[str, Tensor]]:
    model = load_model(architecture.make(), tokenizer=make_tokenizer())
    layer = model.n_layers - 1
    names = find_places(trace(model.network, model.probe()).blocks[layer], model.mlps[layer])
    return model, {name: captured(model, f"blocks.{layer}.{name}") for name in names}


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda each: each.kind)
def test_what_is_added_makes_the_stream(architecture: Architecture) -> None:
    _, found = of_last_block(architecture)
    assert all(vectors.shape[:2] == (5, int(TEXT.sum())) for vectors in found.values())
    if architecture.kind in WITHOUT_STREAM:
        assert set(found) == {"hook_resid_pre", "hook_resid_post", "mlp.hook_in", "mlp.hook_post", "mlp.hook_out"}
        return
    before, after = found["hook_resid_pre"], found["hook_resid_post"]
    close = {"rtol": 0, "atol": 1e-6 * float(after.abs().max())}
    torch.testing.assert_close(before + found["hook_attn_out"] + found["hook_mlp_out"], after, **close)
    if "hook_resid_mid" in found:
        torch.testing.assert_close(before + found["hook_attn_out"], found["hook_resid_mid"], **close)
    squares = found["ln2.hook_normalized"].square().mean(-1)
    torch.testing.assert_close(squares, torch.ones_like(squares), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", COMPARED)
def test_they_are_those_of_transformer_lens(kind: str) -> None:
    model, found = of_last_block(next(each for each in ARCHITECTURES if each.kind == kind))
    with torch.inference_mode():
        _, cache = model.bridge.run_with_cache(torch.from_numpy(CONTEXTS.tokens).long())
    for name in set(found) - NOT_IN_LENS.get(kind, set()):
        expected = cache[f"blocks.{model.n_layers - 1}.{name}"].flatten(2)[:, TEXT]
        close = {"rtol": 0, "atol": 1e-4 * float(expected.abs().max())}
        torch.testing.assert_close(found[name], expected, **close)


def test_a_module_is_a_hook_point_by_its_name(tiny_model: Callable[[str], LanguageModel]) -> None:
    model = tiny_model("llama")
    expected = captured(model, "blocks.1.hook_resid_post")
    for name in ("model.layers.1", "layers.1"):
        assert torch.equal(captured(model, name), expected)
    assert torch.equal(captured(model, "layers.1.mlp"), captured(model, "blocks.1.mlp.hook_out"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "blocks.1.hook_resid_pst",
            "has no hook point 'blocks.1.hook_resid_pst': the nearest is blocks.1.hook_resid_post",
        ),
        ("blocks.9.hook_resid_pre", "has no hook point 'blocks.9.hook_resid_pre': the nearest is blocks."),
        ("layer.1", "has no hook point 'layer.1': the nearest is layers.1"),
        ("", "has no hook point '': the nearest is "),
        (7, "has no hook point 7: the nearest is "),
        ("model.rotary_emb", "model.rotary_emb gives no vector for every token"),
    ],
)
def test_a_name_of_nothing_is_refused(tiny_model: Callable[[str], LanguageModel], name: str, message: str) -> None:
    with pytest.raises(NbkitError, match=message):
        tiny_model("llama").capture(CONTEXTS, name)


def test_contexts_of_other_tokens_are_refused(tiny_model: Callable[[str], LanguageModel]) -> None:
    tokens = CONTEXTS.tokens.copy()
    tokens[1, 3] = 10**6
    with pytest.raises(NbkitError, match=r"the contexts of .* hold token id 1000000, and model .* has no such token"):
        tiny_model("llama").capture(replace(CONTEXTS, tokens=tokens), "blocks.0.hook_resid_pre")


def test_contexts_of_another_tokenizer_are_refused(tiny_model: Callable[[str], LanguageModel], tmp_path: Path) -> None:
    """Ids of one vocabulary are tokens of another as well."""
    model, others = tiny_model("llama"), replace(CONTEXTS, vocabulary_sha256="0" * 64)
    with pytest.raises(NbkitError, match=r"the contexts of .* were cut with another tokenizer than that of model"):
        model.capture(others, "blocks.0.hook_resid_pre")
    with pytest.raises(NbkitError, match="were cut with another tokenizer"):
        capture_activations(model, others, "blocks.0.hook_resid_pre", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_model_runs_undisturbed_between_two_batches(tiny_model: Callable[[str], LanguageModel]) -> None:
    model, tokens = tiny_model("gpt2"), torch.from_numpy(CONTEXTS.tokens).long()
    with torch.inference_mode():
        expected = model.network(tokens).logits
        batches = model.capture(CONTEXTS, "blocks.0.hook_resid_post", batch_size=2)
        first = next(batches)
        assert torch.equal(model.network(tokens).logits, expected)
    rest = torch.cat(list(batches))
    assert torch.equal(torch.cat([first, rest]), captured(model, "blocks.0.hook_resid_post"))


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activation_files, "SHARD_BYTES", 1)


def checksums(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.name != ".lock"
    }


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_vectors_on_disk_are_those_of_the_stream(
    tiny_model: Callable[[str], LanguageModel], tmp_path: Path, dtype: str
) -> None:
    model, hook = tiny_model("gpt2"), "blocks.1.hook_resid_post"
    kept = capture_activations(model, CONTEXTS, hook, tmp_path / "kept", dtype, 2, progress=False)  # type: ignore[arg-type]
    expected = captured(model, hook).flatten(0, 1).to(getattr(torch, dtype))
    assert len(kept.shards) == 3 and len(kept) == len(expected)
    assert torch.equal(kept.tensor(), expected)
    assert torch.equal(torch.cat(list(kept)), expected)
    assert (kept.width, kept.capture.hook, kept.capture.dtype) == (model.d_model, hook, dtype)
    sae = train_sae(kept.tensor(), SaeConfig(d_sae=8, epochs=1), progress=False)
    assert sae.d_in == model.d_model


@pytest.mark.usefixtures("small_shards")
def test_an_interrupted_capture_goes_on_to_the_same_bytes(
    tiny_model: Callable[[str], LanguageModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, hook = tiny_model("gpt2"), "blocks.1.hook_mlp_out"
    capture_activations(model, CONTEXTS, hook, tmp_path / "whole", batch_size=2, progress=False)
    write = write_tensors

    def write_one(tensors: dict[str, Tensor], path: Path) -> None:
        if path.name.endswith("1.safetensors"):
            raise KeyboardInterrupt
        write(tensors, path)

    monkeypatch.setattr(activation_files, "write_tensors", write_one)
    with pytest.raises(KeyboardInterrupt):
        capture_activations(model, CONTEXTS, hook, tmp_path / "kept", batch_size=2, progress=False)
    assert len(list((tmp_path / "kept").glob("*.safetensors"))) == 1
    monkeypatch.setattr(activation_files, "write_tensors", write)
    starts: list[int] = []
    stream = LanguageModel.capture

    def noted(self: LanguageModel, *args: object) -> Iterator[Tensor]:
        starts.append(args[3])  # type: ignore[arg-type]
        return stream(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(LanguageModel, "capture", noted)
    capture_activations(model, CONTEXTS, hook, tmp_path / "kept", batch_size=2, progress=False)
    assert starts == [2, 4]  # what was there is not computed again
    assert checksums(tmp_path / "kept") == checksums(tmp_path / "whole")
    capture_activations(model, CONTEXTS, hook, tmp_path / "kept", batch_size=2, progress=False)
    assert starts == [2, 4]


def test_a_folder_of_something_else_is_left_as_it_is(
    tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    model, hook = tiny_model("gpt2"), "blocks.1.hook_resid_pre"
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(NbkitError, match=r"is not empty and holds no activations \(notes.txt\)"):
        capture_activations(model, CONTEXTS, hook, tmp_path, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    kept = tmp_path / "kept"
    capture_activations(model, CONTEXTS, hook, kept, progress=False)
    before = checksums(kept)
    with pytest.raises(
        NbkitError, match="holds activations of another hook, contexts_a_shard, dtype: choose another folder"
    ):
        capture_activations(model, CONTEXTS, "blocks.1.hook_mlp_out", kept, "float32", progress=False)
    assert checksums(kept) == before
    with pytest.raises(NbkitError, match=r"^dtype is 'int8': choose one of bfloat16, float16, float32"):
        capture_activations(model, CONTEXTS, hook, kept, "int8", progress=False)  # type: ignore[arg-type]


def test_numbers_that_do_not_fit_are_refused(tiny_folder: Callable[[str], Path], tmp_path: Path) -> None:
    model = load_model(tiny_folder("gpt2"), dtype="float32", device="cpu")
    with torch.no_grad():
        model.network.transformer.wte.weight[9] = 1e5
    with pytest.raises(
        NbkitError, match=r"blocks\.0\.hook_resid_pre has vectors too large for float16: choose bfloat16"
    ):
        capture_activations(model, CONTEXTS, "blocks.0.hook_resid_pre", tmp_path / "half", "float16", progress=False)
    with torch.no_grad():
        model.network.transformer.wpe.weight[4] = torch.inf
    with pytest.raises(
        NbkitError, match=r"blocks\.0\.hook_resid_pre has vectors that are not finite in contexts 0 to 4"
    ):
        list(model.capture(CONTEXTS, "blocks.0.hook_resid_pre"))
