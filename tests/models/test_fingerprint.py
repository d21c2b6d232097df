"""Which weights are a model's identity."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertForMaskedLM, BertForSequenceClassification, BertModel, GPT2LMHeadModel

from nbkit.errors import NbkitError
from nbkit.models import LanguageModel, load_model
from tests.examples.tiny_models import make_network, make_tokenizer
from tests.models.test_models import fresh_network


def opened(folder: Path) -> LanguageModel:
    return load_model(folder, dtype="float32", device="cpu", tokenizer=make_tokenizer())


def with_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object], to: Path) -> Path:
    """A copy of a model's folder with other weights."""
    shutil.copytree(folder, to)
    weights = load_file(to / "model.safetensors")
    change(weights)
    save_file(weights, to / "model.safetensors", metadata={"format": "pt"})
    return to


def test_it_is_a_sum_of_hugging_faces_weights(tiny_folder: Callable[[str], Path]) -> None:
    weights = fresh_network("phi3", tiny_folder("phi3")).state_dict()
    digest = hashlib.sha256()
    for name in sorted(weights, key=lambda name: name.removeprefix("model.")):
        tensor = weights[name]
        digest.update(f"{name.removeprefix('model.')} {tuple(tensor.shape)} torch.float32".encode())
        digest.update(tensor.numpy().tobytes())
    assert opened(tiny_folder("phi3")).fingerprint == digest.hexdigest()


@pytest.mark.parametrize(
    "name",
    [
        "transformer.wpe.weight",
        "transformer.h.2.mlp.c_proj.weight",
        "transformer.h.0.attn.c_attn.bias",
        "transformer.ln_f.weight",
        "transformer.wte.weight",
    ],
)
def test_every_weight_that_is_used_counts(name: str, tiny_folder: Callable[[str], Path], tmp_path: Path) -> None:
    changed = with_weights(tiny_folder("gpt2"), lambda weights: weights[name].view(-1)[5].add_(1e-3), tmp_path / "a")
    assert opened(changed).fingerprint != opened(tiny_folder("gpt2")).fingerprint


def test_a_head_that_is_not_used_does_not_count(tiny_folder: Callable[[str], Path], tmp_path: Path) -> None:
    """A pooler, a classifier, or the head of a masked language model may be missing: it's then drawn at random."""
    expected = opened(tiny_folder("bert")).fingerprint
    network = fresh_network("bert", tiny_folder("bert"))
    for number, kind in enumerate((BertModel, BertForSequenceClassification, BertForMaskedLM)):
        folder = tmp_path / str(number)
        network.bert.save_pretrained(folder)  # without any head or pooler
        config = json.loads((folder / "config.json").read_text()) | {"architectures": [kind.__name__]}
        (folder / "config.json").write_text(json.dumps(config))
        for seed in (0, 1):
            torch.manual_seed(seed)
            model = opened(folder)
            assert model.fingerprint == expected and model.unembedding is None
        assert isinstance(model.network, kind | BertModel)


def test_a_missing_unembedding_promotes_no_tokens(tiny_folder: Callable[[str], Path], tmp_path: Path) -> None:
    headless = with_weights(tiny_folder("llama"), lambda weights: weights.pop("lm_head.weight"), tmp_path / "a")
    models = [opened(headless) for _ in range(2)]
    assert models[0].unembedding is None and models[0].fingerprint == models[1].fingerprint
    assert opened(tiny_folder("llama")).unembedding is not None


@pytest.mark.parametrize("name", ["model.layers.1.mlp.up_proj.weight", "model.embed_tokens.weight"])
def test_a_missing_weight_that_is_used_is_refused(
    name: str, tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    broken = with_weights(tiny_folder("llama"), lambda weights: weights.pop(name), tmp_path / "a")
    with pytest.raises(NbkitError, match=rf"'{name}', one of 1 weights, is missing from its files"):
        opened(broken)


def test_tied_and_half_precision_weights(tmp_path: Path) -> None:
    network = make_network("gpt2").to(torch.bfloat16)
    assert isinstance(network, GPT2LMHeadModel) and network.config.tie_word_embeddings
    network.save_pretrained(tmp_path)
    exact, wide = load_model(network, tokenizer=make_tokenizer()), opened(tmp_path)
    assert exact.unembedding is not None and wide.dtype == torch.float32
    assert exact.fingerprint == load_model(network, tokenizer=make_tokenizer()).fingerprint != wide.fingerprint
