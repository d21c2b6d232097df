"""Hub ids and paths; the hub itself is played by a folder."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from nbkit.errors import NbkitError
from nbkit.sae.autoencoder import SparseAutoencoder
from nbkit.sae.foreign.hub import local_path
from tests.examples.foreign_saes import K, check, config_6, inputs, reference, weights, write_folder

load = SparseAutoencoder.load


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Gives the names of what is fetched from a hub that has one repository, `me/saes`."""
    root, fetched = tmp_path / "hub", list[str]()
    write_folder(root / "blocks.1" / "topk", config_6("topk", k=K), weights())
    (root / "README.md").write_text("")
    (root / "blocks.1" / "topk" / "trainer_state.pt").write_text("")

    def files(_: object, repository: str) -> list[str]:
        if repository != "me/saes":
            raise OSError("404 Client Error")
        return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]

    def download(_: str, name: str) -> str:
        fetched.append(name)
        return str(root / name)

    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", files)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.delenv("NBKIT_OFFLINE", raising=False)
    monkeypatch.chdir(tmp_path)
    return fetched


@pytest.mark.parametrize("prefix", ["", "hf:"])
@pytest.mark.parametrize("ending", ["", "/", "/sae_weights.safetensors"])
def test_a_folder_or_file_of_the_hub(prefix: str, ending: str, hub: list[str]) -> None:
    sae = load(f"{prefix}me/saes/blocks.1/topk{ending}")
    check(sae, inputs(), reference(inputs(), weights(), "topk"))
    assert hub == ["blocks.1/topk/sae_weights.safetensors", "blocks.1/topk/cfg.json"], "and nothing else is fetched"


def test_what_the_hub_does_not_have(hub: list[str]) -> None:
    with pytest.raises(NbkitError, match=r"me/saes has no sparse autoencoder in its first folder.*blocks\.1/topk"):
        load("me/saes")
    with pytest.raises(NbkitError, match=r"no sparse autoencoder at you/saes: no such path, and the hub says: 404"):
        load("you/saes")
    with pytest.raises(NbkitError, match="names no repository"):
        load("hf:saes")
    assert not hub


def test_a_path_is_never_looked_for_on_the_hub(hub: list[str], tmp_path: Path) -> None:
    for place in (Path("me/saes"), "me/saes.pt", "./me/saes", str(tmp_path / "me" / "saes"), "saes"):
        with pytest.raises(NbkitError, match="there is no sparse autoencoder at"):
            load(place)
    write_folder(tmp_path / "me" / "saes", config_6("topk", k=K), weights())
    assert local_path("me/saes") == Path("me/saes")
    assert load("me/saes").k == K
    assert not hub


def test_offline_no_socket_is_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a socket was used")

    monkeypatch.setenv("NBKIT_OFFLINE", "1")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NbkitError, match="not in the hub client's cache either, and NBKIT_OFFLINE forbids"):
        load("nobody-at-all/no-such-autoencoder")


@pytest.mark.parametrize("place", [None, 3, "a" * 5000, "a/" + "b" * 5000])
def test_no_place_at_all(place: Any, hub: list[str]) -> None:
    with pytest.raises(NbkitError):
        load(place)
