"""Nothing is installed, downloaded or run that was not asked for, not even by the libraries that are called."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nbkit import assets
from nbkit.corpora import load_contexts
from nbkit.errors import NbkitError
from nbkit.models import LanguageModel, load_model
from tests.examples.architectures import HEADED, make_network
from tests.examples.tiny_models import make_tokenizer

VISION = {
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 8,
    "patch_size": 4,
}


@pytest.fixture
def told(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Offline, with clients on the PATH that leave a note, no socket to be had, and no package to be run by Python."""
    folder, notes = tmp_path_factory.mktemp("path"), tmp_path_factory.mktemp("notes")
    for name in ("pip", "pip3", "uv", "npm", "conda", "git", "huggingface-cli", "hf"):
        (folder / name).write_text(f"#!/bin/sh\necho $0 $@ > {notes / name}\nexit 1\n")
        (folder / name).chmod(0o755)

    def refuse(what: str) -> Callable[..., None]:
        def leave_a_note(*arguments: object, **_: object) -> None:
            (notes / what).write_text(repr(arguments))
            raise OSError(f"no {what} in this test")

        return leave_a_note

    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("NBKIT_OFFLINE", "1")
    monkeypatch.setattr(socket, "getaddrinfo", refuse("lookup"))
    monkeypatch.setattr(socket.socket, "connect", refuse("connection"))
    monkeypatch.setattr(subprocess, "Popen", refuse("process"))
    yield
    assert not {note.name: note.read_text() for note in notes.iterdir()}


@pytest.fixture(scope="module")
def multimodal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Gemma 3 that reads images, too, with the description of a processor that takes torchvision."""
    folder = tmp_path_factory.mktemp("gemma3")
    texts = {key: value for key, value in HEADED.items() if not key.endswith("token_id")}
    config = {"text_config": texts, "vision_config": VISION, "mm_tokens_per_image": 4, "image_token_index": 5}
    make_network("Gemma3ForConditionalGeneration", config).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    (folder / "processor_config.json").write_text(json.dumps({"processor_class": "Gemma3Processor"}))
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_processor_type": "Gemma3ImageProcessor"}))
    return folder


def test_a_model_that_reads_images_opens_as_one_that_reads_text(multimodal: Path, told: None) -> None:
    model = load_model(multimodal, dtype="float32", device="cpu")
    assert (model.n_layers, model.d_mlp, model.activation) == (2, 40, "gelu_pytorch_tanh")
    assert model.unembedding is not None
    assert "vision" not in " ".join(name for name, module in model.network.named_modules() if module in model.blocks)
    assert model.bridge.cfg.is_multimodal  # so TransformerLens looks for torchvision, and would install it


def test_a_model_in_the_folder_and_what_is_made_of_it(
    tiny_folder: Callable[[str], Path], told: None, tmp_path: Path
) -> None:
    model = load_model(tiny_folder("llama"), dtype="float32", device="cpu")
    assert load_model(model.network).fingerprint == model.fingerprint
    text = tmp_path / "text.txt"
    text.write_text("the quick brown fox jumps over the lazy dog " * 9)
    assert len(load_contexts(text, model, length=16).tokens)
    assert model.bridge is not None


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda model: load_model("nobody/has-this-model"), "not in the hub client's cache, and NBKIT_OFFLINE forbids"),
        (lambda model: load_contexts("hf:nobody/has-this-set", model, length=8), "hub, and NBKIT_OFFLINE forbids"),
        (lambda model: load_contexts("openwebtext", model, length=8), "hub, and NBKIT_OFFLINE forbids"),
        (lambda model: assets.fetch("brown"), "is not in the cache .*, and NBKIT_OFFLINE forbids fetching it"),
        (lambda model: load_model("smollm2-135m"), "is not in the cache .*, and NBKIT_OFFLINE forbids fetching it"),
    ],
)
def test_offline_whatever_is_not_there_gets_one_sentence(
    ask: Callable[[LanguageModel], object],
    message: str,
    tiny_model: Callable[[str], LanguageModel],
    told: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = tiny_model("gpt2")
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path / "empty"))
    with pytest.raises(NbkitError, match=message):
        ask(model)


def test_the_hubs_client_is_told_though_it_was_imported_before(told: None) -> None:
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import OfflineModeIsEnabled

    before = constants.HF_HUB_OFFLINE
    with assets.hub_as_asked(offline=True), pytest.raises(OfflineModeIsEnabled):
        HfApi().model_info("gpt2")
    assert before == constants.HF_HUB_OFFLINE
    with pytest.raises(RuntimeError), assets.hub_as_asked(offline=True):
        raise RuntimeError
    assert before == constants.HF_HUB_OFFLINE


def test_no_code_of_a_model_s_own_is_run(tmp_path: Path, told: None, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"model_type": "mine", "architectures": ["Mine"], "auto_map": {"AutoConfig": "code_of_its_own.Config"}}
    (tmp_path / "config.json").write_text(json.dumps(own))
    (tmp_path / "code_of_its_own.py").write_text("raise SystemExit('this code was run')\n")
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with pytest.raises(NbkitError, match="can't open model"):
        load_model(tmp_path)
    assert not [name for name in sys.modules if "code_of_its_own" in name]


def test_a_quantized_model_is_refused_by_name(tiny_folder: Callable[[str], Path], told: None, tmp_path: Path) -> None:
    config = json.loads((tiny_folder("llama") / "config.json").read_text())
    (tmp_path / "config.json").write_text(
        json.dumps(config | {"quantization_config": {"quant_method": "gptq", "bits": 4}})
    )
    with pytest.raises(NbkitError, match=r"is quantized \(gptq\): open one with weights in float32"):
        load_model(tmp_path)
