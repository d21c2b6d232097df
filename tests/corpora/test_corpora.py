"""Contexts cut from corpora, with a tokenizer made here: each byte of UTF-8 is one token."""

from __future__ import annotations

import hashlib
import json
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from nbkit import assets
from nbkit.corpora import load_contexts, text_files
from nbkit.corpora.documents import open_corpus
from nbkit.errors import NbkitError
from tests.examples.byte_model import BOS, END, byte_tokenizer, texts_of, write_jsonl
from tests.examples.byte_model import ByteModel as Model


@cache
def smollm2_tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(assets.fetch("smollm2-135m"), local_files_only=True)


@pytest.fixture
def model() -> Model:
    """A model with a BOS token."""
    return Model()


def test_a_model_with_a_bos_token_reads_it_and_text(model: Model, tmp_path: Path) -> None:
    contexts = load_contexts(write_jsonl(tmp_path, "abcdefghijklmnop", "qrstuvwxyz"), model, length=8)
    assert texts_of(contexts, model.tokenizer) == ["abcdefg", "hijklmn", "qrstuvw"]
    assert contexts.documents.tolist() == [0, 0, 1]
    assert contexts.special.tolist() == [True] + [False] * 7
    assert (contexts.tokens[:, 0] == model.tokenizer.bos_token_id).all()
    assert contexts.tokens.dtype == contexts.documents.dtype == np.int32
    assert contexts.name == "corpus.jsonl"


def test_a_model_with_tokens_on_both_sides_reads_text_between_them(tmp_path: Path) -> None:
    model = Model(byte_tokenizer(cls_token="[CLS]", sep_token="[SEP]"))
    contexts = load_contexts(write_jsonl(tmp_path, "abcdefghijklm"), model, length=8)
    assert texts_of(contexts, model.tokenizer) == ["abcdef", "ghijkl"]
    assert contexts.special.tolist() == [True] + [False] * 6 + [True]
    assert contexts.added == ((model.tokenizer.cls_token_id,), (model.tokenizer.sep_token_id,))
    assert contexts.tokens[0, [0, -1]].tolist() == [model.tokenizer.cls_token_id, model.tokenizer.sep_token_id]


def test_without_special_tokens_all_is_text(tmp_path: Path) -> None:
    model = Model(byte_tokenizer())
    contexts = load_contexts(write_jsonl(tmp_path, "abcdefghijklmnop"), model, length=8)
    assert model.tokenizer.batch_decode(contexts.tokens) == ["abcdefgh", "ijklmnop"]
    assert contexts.special.tolist() == [True] + [False] * 7


def test_special_tokens_in_the_text_are_text(model: Model, tmp_path: Path) -> None:
    text = f"a{END}b{BOS}c"
    contexts = load_contexts(write_jsonl(tmp_path, text), model, length=len(text) + 1)
    assert texts_of(contexts, model.tokenizer) == [text]
    assert contexts.tokens[0, 1:].max() < 256
    assert model.tokenizer(END, add_special_tokens=False)["input_ids"] == [
        model.tokenizer.eos_token_id
    ]  # left as it was


def test_strange_characters_pass_through(model: Model, tmp_path: Path) -> None:
    text = "\0 <script>\u202eevil\u202c 😀 \ufeff é\r\n"
    contexts = load_contexts(write_jsonl(tmp_path, text), model, length=len(text.encode()) + 1)
    assert texts_of(contexts, model.tokenizer) == [text]


@given(
    texts=st.lists(st.text(st.characters(codec="ascii"), max_size=60), max_size=12),
    length=st.integers(8, 20),
    limit=st.integers(1, 8),
)
@settings(max_examples=60, deadline=None)
def test_contexts_are_the_documents_cut_in_order(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], length: int, limit: int
) -> None:
    model = Model(byte_tokenizer(bos_token=BOS))
    room = length - 1
    expected = [
        (document, text[start : start + room])
        for document, text in enumerate(texts)
        for start in range(0, len(text) - room + 1, room)
    ][:limit]
    path = write_jsonl(tmp_path_factory.mktemp("texts"), *texts)
    if not expected:
        with pytest.raises(NbkitError, match="no document of"):
            load_contexts(path, model, length, limit)
        return
    contexts = load_contexts(path, model, length, limit)
    assert list(zip(contexts.documents.tolist(), texts_of(contexts, model.tokenizer), strict=True)) == expected


def test_reading_stops_when_the_limit_is_reached(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbkit.corpora.cutting._BATCH_CHARACTERS", 20)
    path = write_jsonl(tmp_path, *["abcdefghij"] * 10)
    path.write_text(path.read_text() + "not JSON\n")
    assert load_contexts(path, model, length=8, limit=6).tokens.shape == (6, 8)
    with pytest.raises(NbkitError, match="line 11: this is not JSON"):
        load_contexts(path, model, length=8, limit=11)


def test_the_checksum_is_that_of_the_tokens(model: Model, tmp_path: Path) -> None:
    first = load_contexts(write_jsonl(tmp_path, "abcdefghijklmnopqrst"), model, length=8)
    assert first.sha256 == hashlib.sha256(b"2x8:" + first.tokens.astype("<i4").tobytes()).hexdigest()
    assert load_contexts(write_jsonl(tmp_path, "abcdefghijklmnopqrsT"), model, length=8).sha256 == first.sha256
    assert load_contexts(write_jsonl(tmp_path, "Abcdefghijklmnopqrst"), model, length=8).sha256 != first.sha256


def test_a_text_file_is_one_document(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "two.txt"
    path.write_bytes("\ufeffone\r\n\r\ntwo\fthree\n".encode())
    contexts = load_contexts(path, model, length=15)
    assert texts_of(contexts, model.tokenizer) == ["one\n\ntwo\fthree"]
    assert load_contexts(str(path), model, length=15).documents.tolist() == [0]


@given(text=st.text(st.sampled_from("ab \n\t.,1é"), min_size=1, max_size=200), size=st.integers(1, 40))
@example(text="1 \na", size=1)
@example(text="1\n\na\n b", size=1)
@settings(max_examples=60, deadline=None)
def test_the_pieces_of_a_long_text_have_the_tokens_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, text: str, size: int
) -> None:
    tokenizer = smollm2_tokenizer()
    path = tmp_path_factory.mktemp("long") / "long.txt"
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_files, "_PIECE_CHARACTERS", size)
        pieces = list(open_corpus(path).pieces)
    assert "".join(piece.text for piece in pieces) == text
    assert {piece.document for piece in pieces} == {0}
    ids = [token for piece in pieces for token in tokenizer(piece.text)["input_ids"]]
    assert ids == tokenizer(text)["input_ids"]


def test_a_long_text_is_read_in_pieces(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "_PIECE_CHARACTERS", 10)
    path = tmp_path / "long.txt"
    path.write_text("a line\n" * 20)
    assert len(list(open_corpus(path).pieces)) == 10
    contexts = load_contexts(path, model, length=11)
    assert "".join(texts_of(contexts, model.tokenizer)) == "a line\n" * 20  # 140 characters, 14 contexts of 10


def test_parquet_rows_are_documents(model: Model, tmp_path: Path) -> None:
    for kind in (pa.string(), pa.large_string()):
        table = pa.table({"n": [1, 2, 3], "text": pa.array(["abcdefgh", None, "ijklmnop"], kind)})
        pq.write_table(table, tmp_path / "rows.parquet")
        contexts = load_contexts(tmp_path / "rows.parquet", model, length=8)
        assert texts_of(contexts, model.tokenizer) == ["abcdefg", "ijklmno"]
        assert contexts.documents.tolist() == [0, 2]


@pytest.mark.parametrize(("length", "limit"), [(7, 1), (65, 1), (0, 1), (-1, 1)])
def test_the_length_fits_the_model(model: Model, tmp_path: Path, length: int, limit: int) -> None:
    path = write_jsonl(tmp_path, "a" * 100)
    with pytest.raises(NbkitError, match=f"{length} tokens is not possible: toy reads from 8 to 64"):
        load_contexts(path, model, length, limit)
    assert load_contexts(path, model, length=64).tokens.shape == (1, 64)


@pytest.mark.parametrize("limit", [0, -3])
def test_the_limit_is_at_least_one(model: Model, tmp_path: Path, limit: int) -> None:
    with pytest.raises(NbkitError, match=f"limit is {limit}"):
        load_contexts(write_jsonl(tmp_path, "a" * 100), model, length=8, limit=limit)


def test_an_unknown_corpus_suggests_the_nearest(model: Model) -> None:
    with pytest.raises(NbkitError, match=r"No corpus is called 'borwn': did you mean brown\?"):
        load_contexts("borwn", model, length=8)
    with pytest.raises(NbkitError, match="there are brown, nlp-corpus, openwebtext, hf:<data set>, and files"):
        load_contexts("wikipedia", model, length=8)


def test_nlp_corpus_has_documents_of_sentences(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tarfile.open(tmp_path / "nlp.tgz", "w:gz") as archive:
        for number in range(100):
            file = tmp_path / f"doc-{number}.json"
            file.write_text(json.dumps([f"No. {number}.", "Two."]))
            archive.add(file, f"package/builds/doc-{number}.json")
    monkeypatch.setattr(assets, "fetch", {"nlp-corpus": tmp_path / "nlp.tgz"}.__getitem__)
    contexts = load_contexts("nlp-corpus", model, length=12)
    assert texts_of(contexts, model.tokenizer)[2::30] == [
        "No. 2.\nTwo.",
        "No. 32.\nTwo",
        "No. 62.\nTwo",
        "No. 92.\nTwo",
    ]


def test_brown_fills_about_as_many_contexts_as_the_paper_read() -> None:
    tokenizer = smollm2_tokenizer()
    contexts = load_contexts("brown", Model(tokenizer, n_ctx=8192), length=128, limit=20_000)
    assert contexts.tokens.shape == (9_945, 128)
    assert contexts.documents[[0, -1]].tolist() == [0, 499]
    # The tokenizer has a BOS token, <|im_start|>, and adds it to no text.
    assert contexts.added == ((), ()) and not np.isin(contexts.tokens, tokenizer.all_special_ids).any()
