"""Atlases of models that are spread over the CPU's memory and disk: the same bytes as of one in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accelerate import cpu_offload
from distributed import Client

from nbkit.atlas.atlas import Atlas
from nbkit.atlas.build import build_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.errors import NbkitError
from nbkit.features.importance import token_importance
from nbkit.features.own_text import read_own_text
from nbkit.files import sha256_of
from nbkit.models import LanguageModel, load_model
from tests.examples.latent_units import tiny_latents
from tests.examples.tiny_models import random_contexts
from tests.models.test_models import fresh_network

CONTEXTS = random_contexts(40, 24)
CONFIG = AtlasConfig(batch_size=4, block_size=8, max_examples=6)
ARCHITECTURES = ("gpt2", "llama", "bert", "gemma2")
AUTO: dict[str, Any] = {"device_map": "auto", "max_memory": {"cpu": "60KB"}}


def build(model: Any, out: Path, **options: Any) -> Atlas:
    return build_atlas(model, CONTEXTS, out, options.pop("config", CONFIG), progress=False, **options)


def sums(folder: Path) -> dict[str, str]:
    """sha256 of the files of an atlas."""
    found = {path.name: sha256_of(path) for path in folder.iterdir() if path.is_file() and path.suffix}
    assert "manifest.json" in found or len(found) > 4
    return found


def on_disk(_: str, folder: Path) -> LanguageModel:
    return load_model(folder, dtype="float32", device_map={"": "disk"})


def in_memory_and_on_disk(_: str, folder: Path) -> LanguageModel:
    model = load_model(folder, dtype="float32", **AUTO)
    assert set(model.network.hf_device_map.values()) == {"cpu", "disk"}
    return model


def brought_from_memory(architecture: str, folder: Path) -> LanguageModel:
    return load_model(cpu_offload(fresh_network(architecture, folder), "cpu"))


@pytest.mark.parametrize("spread", [on_disk, in_memory_and_on_disk, brought_from_memory])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_same_bytes(
    architecture: str,
    spread: Callable[[str, Path], LanguageModel],
    tiny_folder: Callable[[str], Path],
    tiny_model: Callable[[str], LanguageModel],
    tmp_path: Path,
) -> None:
    model = spread(architecture, tiny_folder(architecture))
    assert any(each.device.type == "meta" for each in model.network.parameters())
    build(tiny_model(architecture), tmp_path / "memory")
    build(model, tmp_path / "spread")
    assert sums(tmp_path / "spread") == sums(tmp_path / "memory")


def test_folded_weights_and_latents(
    tiny_folder: Callable[[str], Path], tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    folded = AtlasConfig(batch_size=4, block_size=8, weights="folded", layers=(1,))
    for name, model in {"memory": tiny_model("llama"), "disk": on_disk("llama", tiny_folder("llama"))}.items():
        build(model, tmp_path / name, config=folded)
        build(tiny_latents(model), tmp_path / f"{name} latents")
    assert sums(tmp_path / "disk") == sums(tmp_path / "memory")
    assert sums(tmp_path / "disk latents") == sums(tmp_path / "memory latents")


def test_what_is_asked_of_an_atlas(
    tiny_folder: Callable[[str], Path], tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    atlas, model, spread = (
        build(tiny_model("llama"), tmp_path),
        tiny_model("llama"),
        on_disk("llama", tiny_folder("llama")),
    )
    layer, index = atlas.neurons.query("n_examples > 0")[["layer", "index"]].iloc[0]
    for one, other in zip(*(token_importance(each, atlas, layer, index, [0]) for each in (model, spread)), strict=True):
        assert one.tolist() == other.tolist()
    texts = [read_own_text(each, atlas, layer, index, "The quick fox") for each in (model, spread)]
    assert texts[0].activations.tolist() == texts[1].activations.tolist() and texts[0].tokens == texts[1].tokens


def test_workers_spread_a_model_likewise(
    tiny_folder: Callable[[str], Path],
    tiny_model: Callable[[str], LanguageModel],
    client: Client,
    tmp_path: Path,
) -> None:
    model = load_model(tiny_folder("llama"), dtype="float32", offload_folder=tmp_path / "disk", **AUTO)
    build(tiny_model("llama"), tmp_path / "memory")
    build(model, tmp_path / "workers", client=client)
    assert sums(tmp_path / "workers") == sums(tmp_path / "memory")
    assert len(list((tmp_path / "disk").iterdir())) == 3  # here, and each worker


def test_a_model_that_was_handed_over_spread_stays_here(
    tiny_folder: Callable[[str], Path], client: Client, tmp_path: Path
) -> None:
    with pytest.raises(NbkitError, match=r"handed over spread over devices.*open it by its name with device_map"):
        build(brought_from_memory("llama", tiny_folder("llama")), tmp_path, client=client)
