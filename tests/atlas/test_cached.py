"""An atlas by name: opened where it was built before, built where anything differs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbkit.atlas.cached import atlas_for
from nbkit.atlas.config import AtlasConfig
from nbkit.errors import NbkitError
from nbkit.units.arrays import atlas_from_arrays

TEXT = "The quick brown fox jumps over the lazy dog, and again. " * 20
ARGUMENTS: dict[str, Any] = {"length": 16, "limit": 6, "layers": [1], "dtype": "float32", "device": "cpu"}


@pytest.fixture
def request_for(tiny_folder: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Arguments that name a tiny model and a text file; the cache is empty."""
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path / "cache"))
    model = shutil.copytree(tiny_folder("gpt2"), tmp_path / "models" / "Tiny GPT")
    corpus = tmp_path / "fox.txt"
    corpus.write_text(TEXT)
    return {"model": str(model), "corpus": str(corpus), **ARGUMENTS}


def no_model(*_: object, **__: object) -> None:
    raise AssertionError("a model was opened")


def folders(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache" / "atlases").iterdir())


def test_the_same_request_opens_without_a_model(
    request_for: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = atlas_for(**request_for)
    assert (built.layers, built.manifest.n_contexts, built.manifest.length) == ((1,), 6, 16)
    assert built.manifest.corpus == "fox.txt" and built.manifest.embedding == "input"
    assert built.path.parent == tmp_path / "cache" / "atlases"
    assert built.path.name.startswith("tiny-gpt-fox.txt-")
    monkeypatch.setattr("nbkit.models.load_model", no_model)
    monkeypatch.setattr("nbkit.corpora.load_contexts", no_model)
    assert atlas_for(**request_for).path == built.path
    assert atlas_for(**request_for | {"layers": range(1, 2)}).path == built.path
    assert folders(tmp_path) == [built.path.name]


CHANGES: list[dict[str, Any]] = [
    {"length": 17},
    {"limit": 5},
    {"layers": [0, 1]},
    {"layers": "all"},
    {"seed": 1},
    {"dtype": "bfloat16"},
    {"device": "auto"},
    {"field": "body"},
    {"unique": True},
    {"sign": "negative"},
    {"sign": "both"},
]


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders in which atlases would have been built: no model is opened, no corpus read."""
    folders: list[Path] = []
    monkeypatch.setattr("nbkit.models.load_model", lambda *_, **__: None)
    monkeypatch.setattr("nbkit.corpora.load_contexts", lambda *_, **__: None)
    monkeypatch.setattr("nbkit.atlas.one_pass.AtlasPlan.build", lambda plan: folders.append(plan.folder))
    return folders


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_another_request_is_another_atlas(
    change: dict[str, Any], request_for: dict[str, Any], built: list[Path]
) -> None:
    atlas_for(**request_for)
    atlas_for(**request_for)
    atlas_for(**request_for | change)
    assert built[0] == built[1] != built[2]


def test_a_sign_that_is_the_default_leaves_the_name(request_for: dict[str, Any], built: list[Path]) -> None:
    atlas_for(**request_for)
    atlas_for(**request_for | {"sign": "positive"})
    assert built[0] == built[1]


def touch(path: Path) -> None:
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def test_a_changed_file_is_another_corpus_or_model(request_for: dict[str, Any], built: list[Path]) -> None:
    corpus, model = Path(request_for["corpus"]), Path(request_for["model"])
    atlas_for(**request_for)
    status = corpus.stat()
    corpus.write_text(TEXT + "!")
    os.utime(corpus, ns=(status.st_atime_ns, status.st_mtime_ns))
    atlas_for(**request_for)
    touch(corpus)
    atlas_for(**request_for)
    touch(model / "model.safetensors")
    atlas_for(**request_for)
    (model / "added.json").write_text("{}")
    atlas_for(**request_for)
    assert len(set(built)) == 5


def test_a_change_deep_in_a_folder_is_another_corpus_or_model(
    request_for: dict[str, Any], tmp_path: Path, built: list[Path]
) -> None:
    texts, model = tmp_path / "texts", Path(request_for["model"])
    (texts / "a" / "b").mkdir(parents=True)
    (model / "parts").mkdir()
    for path in (texts / "one.txt", texts / "a" / "b" / "two.jsonl", texts / "picture.png", model / "parts" / "x.json"):
        path.write_text("{}")
    for corpus in (texts, f"{texts}/**/*.jsonl"):
        built.clear()
        for change in (None, texts / "a" / "b" / "two.jsonl", model / "parts" / "x.json"):
            if change:
                touch(change)
            atlas_for(**request_for | {"corpus": corpus})
        assert len(set(built)) == 3, "each change counts"
        touch(texts / "picture.png")
        atlas_for(**request_for | {"corpus": corpus})
        assert built[-1] == built[-2], "what is not read does not"


def test_whole_numbers_of_numpy_are_the_same_request(request_for: dict[str, Any], built: list[Path]) -> None:
    atlas_for(**request_for)
    numbers = {"length": np.int64(16), "limit": np.int32(6), "layers": np.array([1]), "seed": np.int64(0)}
    atlas_for(**request_for | numbers)
    assert built[0] == built[1]


def test_an_atlas_that_is_there_is_opened(request_for: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    built = atlas_for(**request_for)
    moved = built.path.rename(built.path.parents[2] / "my atlas")
    monkeypatch.setattr("nbkit.models.load_model", no_model)
    for folder in (moved, str(moved)):
        found = atlas_for(**request_for | {"model": "gpt2", "corpus": "brown", "limit": 3, "atlas": folder})
        assert (found.path, found.manifest) == (moved, built.manifest)
    with pytest.raises(NbkitError, match="no atlas in"):
        atlas_for(atlas=moved / "nothing")


@pytest.mark.parametrize(("own", "given"), [("auto", "input"), ("paper", "input"), ("gradient", "gradient")])
def test_an_atlas_of_no_product_is_given_with_the_papers(own: Any, given: str, tmp_path: Path) -> None:
    arrays = np.random.default_rng(0).normal(size=(12, 5))
    built = atlas_from_arrays(
        arrays, arrays[:3], list("abcdefghijkl"), tmp_path, config=AtlasConfig(embedding=own), progress=False
    )
    found = atlas_for(atlas=tmp_path)
    assert found.path == built.path and found.manifest == replace(built.manifest, embedding=given)
    assert found.as_built.manifest == built.manifest


def test_a_changed_corpus_file_is_scanned_again(request_for: dict[str, Any], tmp_path: Path) -> None:
    first = atlas_for(**request_for)
    Path(request_for["corpus"]).write_text(TEXT.upper())
    second = atlas_for(**request_for)
    assert first.path != second.path and len(folders(tmp_path)) == 2
    assert first.manifest.contexts_sha256 != second.manifest.contexts_sha256


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "./nowhere"}, "no model in folder './nowhere'"),
        ({"corpus": "brwn"}, "did you mean brown"),
        ({"layers": [9]}, "has no layer 9"),
        ({"layers": "some"}, "layers is 'some'"),
        ({"length": 1000}, "context of 1000 tokens is not possible"),
        ({"length": "16"}, "length is '16': give a whole number"),
        ({"sign": "minus"}, "sign is 'minus': choose one of"),
        ({"limit": 1.5}, "limit is 1.5: give a whole number"),
        ({"corpus": "nowhere/*.txt"}, "There is no file nowhere"),
        ({"corpus": ["some text"]}, "corpus is of type list: .* Use load_contexts and build_atlas"),
        ({"model": object()}, "model is of type object: atlas_for finds atlases again by names and paths"),
        ({"dtype": "int4"}, "unknown dtype 'int4'"),
    ],
)
def test_a_mistake_leaves_nothing_in_the_cache(
    change: dict[str, Any], message: str, request_for: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(NbkitError, match=message):
        atlas_for(**request_for | change)
    assert not (tmp_path / "cache" / "atlases").exists()
