"""Manifests that somebody or something changed: refused in one sentence, and never half checked."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from nbkit.atlas.atlas import Atlas, open_atlas
from nbkit.atlas.build import build_atlas
from nbkit.atlas.config import AtlasConfig
from nbkit.atlas.manifest import MANIFEST, Manifest
from nbkit.errors import NbkitError
from nbkit.files import check
from nbkit.models import LanguageModel
from tests.examples.tiny_models import random_contexts

VALUES: list[Any] = [None, "", "0", -1, 0, 1, 10**30, 0.5, True, [], [0], [-1], [[0]], {}, {"a": 1}]
FILES: list[Any] = [{}, None, [], {"layer-00.safetensors": [0, "0"]}, {"/etc/hostname": [1, "0"]}, {"../x": [1, "0"]}]
TEXTS = {
    "empty": b"",
    "no JSON": b"{'schema': 3}",
    "not UTF-8": '{"schema": 4, "model": "é"}'.encode("latin-1"),
    "UTF-16": '{"schema": 4}'.encode("utf-16"),
    "deep": b'{"schema": 4, "files": ' + b"[" * 200_000,
    "many": b'{"schema": 4, "files": {' + b",".join(b'"%d": [1, "0"]' % i for i in range(10_000)) + b"}}",
    "twice": b'{"schema": 4, "schema": 4}',
    "a number": b"3",
    "not a number": b'{"schema": NaN}',
    "another schema": b'{"schema": 2}',
    "a schema that is text": b'{"schema": "\x1b[31m3"}',
}


@pytest.fixture
def folder(own_atlas: Callable[[str], Atlas]) -> Path:
    return own_atlas("gpt2").path


def sentence_for(text: bytes, folder: Path) -> str:
    """What is said of an atlas with this manifest: the same whether it is opened or built again."""
    whole = (folder / MANIFEST).read_bytes()
    (folder / MANIFEST).write_bytes(text)
    with pytest.raises(NbkitError) as refused:
        open_atlas(folder)
    assert MANIFEST in {path.name for path in check(folder).damaged}
    (folder / MANIFEST).write_bytes(whole)
    said = str(refused.value)
    assert len(said.replace(str(folder), "")) <= 300 and said.isprintable()
    return said


def edits(values: dict[str, Any]) -> list[dict[str, Any]]:
    """The manifest with every field left out, and with others in its place."""
    edited: list[dict[str, Any]] = []
    for name in (*(field.name for field in fields(Manifest)), "files"):
        edited.append({key: value for key, value in values.items() if key != name})
        others = FILES if name == "files" else VALUES
        edited += [values | {name: value} for value in others if value != values[name] or value is True]
    return [*edited, values | {"more": 1}, {key: value for key, value in values.items() if key != "seal"}]


def test_every_edit_is_refused_in_a_sentence(folder: Path) -> None:
    values = json.loads((folder / MANIFEST).read_text())
    said = [sentence_for(json.dumps(edited, indent=1).encode(), folder) for edited in edits(values)]
    assert len(said) > 300
    for sentence in said:
        assert "is not an atlas's manifest, or not as it was written" in sentence
    open_atlas(folder)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_is_no_manifest_is_refused_in_a_sentence(text: bytes, folder: Path) -> None:
    sentence_for(text, folder)


def test_one_of_a_gigabyte_is_not_read(folder: Path) -> None:
    with (folder / MANIFEST).open("r+b") as file:
        file.truncate(10**9)
    with pytest.raises(NbkitError, match="is not an atlas's manifest"):
        open_atlas(folder)


def test_files_of_another_atlas_are_found_by_a_check(
    tiny_model: Callable[[str], LanguageModel], tmp_path: Path
) -> None:
    for seed in (0, 1):
        config = AtlasConfig(layers=[1], seed=seed)
        build_atlas(tiny_model("gpt2"), random_contexts(20, 24), tmp_path / str(seed), config, progress=False)
    other = (tmp_path / "1" / "layer-01.safetensors").read_bytes()
    changed = bytearray((tmp_path / "0" / "layer-01.safetensors").read_bytes())
    assert bytes(changed) == other  # the seed is the control's alone
    neurons = (tmp_path / "1" / "contexts.safetensors").read_bytes()
    assert not check(tmp_path).damaged
    (tmp_path / "0" / "layer-01.safetensors").write_bytes(neurons)
    assert "bytes long instead of" in str(check(tmp_path).damaged)
