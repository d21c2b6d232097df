"""`load_contexts(…, out=…)`: written once, opened when the same is asked for, refused otherwise."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nbkit
from nbkit.corpora import Contexts, cutting, load_contexts, loading, spool, write_contexts
from nbkit.corpora.context_files import ABOUT_CONTEXTS, TOKENS
from nbkit.errors import NbkitError
from tests.corpora.test_context_files import assert_equal
from tests.examples.byte_model import BOS, ByteModel, byte_tokenizer, write_jsonl

TEXTS = ["twelve times", "", "twelve times twelve times", "thirteen or more"]


def kept(folder: Path, **options: Any) -> Contexts:
    arguments = {"corpus": folder / "corpus.jsonl", "model": ByteModel(), "length": 8, "out": folder / "kept"}
    return load_contexts(**arguments | options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_jsonl(tmp_path, *TEXTS)
    return tmp_path


@pytest.mark.parametrize("in_memory", [1, 1 << 23])
@pytest.mark.parametrize("unique", [False, True])
def test_they_are_those_that_are_read(
    folder: Path, unique: bool, in_memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = kept(folder, out=None, unique=unique)
    monkeypatch.setattr(spool, "IN_MEMORY_BYTES", in_memory)
    assert_equal(kept(folder, out=None, unique=unique), expected)
    assert_equal(kept(folder, unique=unique), expected)
    assert sorted(path.name for path in (folder / "kept").iterdir()) == [".lock", ABOUT_CONTEXTS, TOKENS]
    monkeypatch.setattr(loading, "open_corpus", None)  # nothing is read again
    assert_equal(kept(folder, unique=unique), expected)
    assert_equal(nbkit.open_contexts(folder / "kept"), expected)


@pytest.mark.parametrize(
    ("option", "value", "name"),
    [
        ("length", 9, "length"),
        ("limit", 3, "limit"),
        ("field", "n", "field"),
        ("unique", True, "unique"),
        ("name", "mine", "name"),
        ("model", ByteModel(byte_tokenizer(bos_token=BOS)), "tokenizer_sha256"),
        ("corpus", "brown", "corpus, files_sha256"),
    ],
)
def test_others_are_refused(folder: Path, option: str, value: object, name: str) -> None:
    expected = kept(folder)
    with pytest.raises(NbkitError, match=f"kept holds contexts of another {name}: choose another folder, or delete it"):
        kept(folder, **{option: value})
    assert_equal(kept(folder), expected)


def test_a_corpus_that_changed_is_refused(folder: Path) -> None:
    kept(folder)
    os.utime(folder / "corpus.jsonl", (1, 1))
    with pytest.raises(NbkitError, match="another files_sha256"):
        kept(folder)


def test_what_calls_set_in_a_tokenizer_makes_no_other(folder: Path) -> None:
    model = ByteModel(byte_tokenizer(bos_token=BOS))
    expected = kept(folder, model=model)
    model.tokenizer("some text", truncation=True, max_length=3)
    assert_equal(kept(folder, model=model), expected)


def test_texts_in_memory_are_never_taken_for_others(folder: Path) -> None:
    expected = kept(folder, corpus=iter(TEXTS))
    for corpus in (TEXTS, folder / "corpus.jsonl"):
        with pytest.raises(NbkitError, match=r"nothing tells whether .* open them with nbkit\.open_contexts"):
            kept(folder, corpus=corpus)
    assert_equal(nbkit.open_contexts(folder / "kept"), expected)
    write_contexts(expected, folder / "others")
    with pytest.raises(NbkitError, match="nothing tells"):
        kept(folder, out=folder / "others")


def test_a_folder_of_something_else_stays_as_it_is(folder: Path) -> None:
    with pytest.raises(NbkitError, match=r"is not empty and holds no contexts \(corpus\.jsonl\)"):
        kept(folder, out=folder)
    assert [path.name for path in folder.iterdir()] == ["corpus.jsonl"]
    with pytest.raises(NbkitError, match="can't write to"):
        kept(folder, out=folder / "corpus.jsonl")


def test_what_was_interrupted_is_done_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    expected = kept(folder, out=None)
    for step in ("cutting._tokenized", "context_files.write_json"):
        with monkeypatch.context() as patch:
            patch.setattr(f"nbkit.corpora.{step}", stop)
            with pytest.raises(KeyboardInterrupt):
                kept(folder)
        with pytest.raises(NbkitError, match="no contexts in"):
            nbkit.open_contexts(folder / "kept")
    assert_equal(kept(folder), expected)


@pytest.mark.parametrize("made", ["", "kept", "kept/deep"])
def test_a_mistake_leaves_nothing(made: str, folder: Path) -> None:
    (folder / made).mkdir(parents=True, exist_ok=True)
    before = sorted(folder.rglob("*"))
    for mistake, said in (({"length": 60}, "no document of 59"), ({"corpus": "brwn"}, "did you mean brown")):
        with pytest.raises(NbkitError, match=said):
            kept(folder, out=folder / "kept" / "deep", **mistake)
        assert sorted(folder.rglob("*")) == before


def test_kept_contexts_open_on_a_disk_that_only_gives(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = kept(folder)
    monkeypatch.setattr(loading, "keeping", None)
    assert_equal(kept(folder), expected)


def test_memory_does_not_grow_with_the_number_of_contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY_BYTES", 1 << 16)
    monkeypatch.setattr(cutting, "_BATCH_CHARACTERS", 1 << 14)
    monkeypatch.setattr("nbkit.files.mapped.PART_BYTES", 1 << 17)

    def texts(n: int) -> Iterator[str]:
        for number in range(n):
            yield f"{number:07d}" * 9  # a context and no more

    def peak(n: int) -> int:
        tracemalloc.start()
        try:
            contexts = load_contexts(texts(n), ByteModel(), length=64, limit=n, out=tmp_path / str(n))
            assert contexts.sha256 and len(contexts.ids) == 11 and contexts.around
            assert contexts.tokens.shape == (n, 64) and contexts.tokens.nbytes > n * 250
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)  # imports
    few, many = peak(4_000), peak(16_000)
    assert many < few + (1 << 18), "the contexts are 3 MB more"
    np.testing.assert_array_equal(nbkit.open_contexts(tmp_path / "16000").documents, np.arange(16_000))


def test_a_folder_with_a_lock_of_something_else_stays_as_it_is(folder: Path, tiny_atlas: Any) -> None:
    """Such as an atlas, which has a lock and a file of contexts of the same name."""
    atlas = tiny_atlas("gpt2").path
    before = {path.name: path.stat().st_mtime_ns for path in atlas.iterdir()}
    for target in (atlas, folder / "paper"):
        target.mkdir(exist_ok=True)
        if target != atlas:
            (target / ".lock").touch()
            (target / "paper.tex").write_text("mine")
        with pytest.raises(NbkitError, match="is not empty and holds no contexts"):
            kept(folder, out=target)
    assert {path.name: path.stat().st_mtime_ns for path in atlas.iterdir()} == before


def test_tokens_of_other_contexts_are_told(folder: Path) -> None:
    kept(folder)
    kept(folder, length=9, out=folder / "other")
    (folder / "other" / TOKENS).replace(folder / "kept" / TOKENS)
    with pytest.raises(NbkitError, match=r"holds other contexts than contexts.json beside it tells of: delete both"):
        nbkit.open_contexts(folder / "kept")
