"""Contexts cut from corpora, with a tokenizer made here: each byte of UTF-8 is one token."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from nbkit import assets
from nbkit.corpora import documents as sources
from nbkit.corpora import load_contexts
from nbkit.errors import NbkitError

BOS, END = "<|im_start|>", "<|im_end|>"


@dataclass
class Model:
    tokenizer: Any
    n_ctx: int = 64
    causal: bool = True
    name: str = "toy"


def byte_tokenizer(**special: str) -> PreTrainedTokenizerFast:
    """One token for each byte; the special tokens come after the 256 bytes, and around a text unless asked not to."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special.values()])
    template = " ".join([*list(special.values())[:1], "$A", *list(special.values())[1:]])
    ids = [(token, tokenizer.token_to_id(token)) for token in special.values()]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=ids)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


@cache
def smollm2_tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(assets.fetch("smollm2-135m"), local_files_only=True)


@pytest.fixture
def model() -> Model:
    """A causal model with a BOS token."""
    return Model(byte_tokenizer(bos_token=BOS, eos_token=END))


def write_jsonl(folder: Path, *texts: str) -> Path:
    path = folder / "corpus.jsonl"
    path.write_text("".join(json.dumps({"text": text, "n": 1}) + "\n" for text in texts), encoding="utf-8")
    return path


def texts_of(contexts: Any, tokenizer: Any) -> list[str]:
    return [str(tokenizer.decode(row[~contexts.special])) for row in contexts.tokens]


def test_a_causal_model_reads_bos_and_text(model: Model, tmp_path: Path) -> None:
    contexts = load_contexts(write_jsonl(tmp_path, "abcdefghijklmnop", "qrstuvwxyz"), model, length=8)
    assert texts_of(contexts, model.tokenizer) == ["abcdefg", "hijklmn", "qrstuvw"]
    assert contexts.documents.tolist() == [0, 0, 1]
    assert contexts.special.tolist() == [True] + [False] * 7
    assert (contexts.tokens[:, 0] == model.tokenizer.bos_token_id).all()
    assert contexts.tokens.dtype == contexts.documents.dtype == np.int32
    assert contexts.name == "corpus.jsonl"


def test_a_bidirectional_model_reads_text_between_its_tokens(tmp_path: Path) -> None:
    model = Model(byte_tokenizer(cls_token="[CLS]", sep_token="[SEP]"), causal=False)
    contexts = load_contexts(write_jsonl(tmp_path, "abcdefghijklm"), model, length=8)
    assert texts_of(contexts, model.tokenizer) == ["abcdef", "ghijkl"]
    assert contexts.special.tolist() == [True] + [False] * 6 + [True]
    assert contexts.tokens[0, [0, -1]].tolist() == [model.tokenizer.cls_token_id, model.tokenizer.sep_token_id]


@pytest.mark.parametrize("causal", [True, False])
def test_without_special_tokens_all_is_text(tmp_path: Path, causal: bool) -> None:
    model = Model(byte_tokenizer(), causal=causal)
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
@settings(max_examples=60, deadline=None)
def test_the_pieces_of_a_long_text_have_the_tokens_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, text: str, size: int
) -> None:
    tokenizer = smollm2_tokenizer()
    path = tmp_path_factory.mktemp("long") / "long.txt"
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "_PIECE_CHARACTERS", size)
        pieces = list(sources.open_corpus(path)[1])
    assert "".join(piece.text for piece in pieces) == text
    assert {piece.document for piece in pieces} == {0}
    ids = [token for piece in pieces for token in tokenizer(piece.text)["input_ids"]]
    assert ids == tokenizer(text)["input_ids"]


def test_a_long_text_is_read_in_pieces(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_PIECE_CHARACTERS", 10)
    path = tmp_path / "long.txt"
    path.write_text("a line\n" * 20)
    assert len(list(sources.open_corpus(path)[1])) == 10
    contexts = load_contexts(path, model, length=11)
    assert "".join(texts_of(contexts, model.tokenizer)) == "a line\n" * 20  # 140 characters, 14 contexts of 10


def test_parquet_rows_are_documents(model: Model, tmp_path: Path) -> None:
    for kind in (pa.string(), pa.large_string()):
        table = pa.table({"n": [1, 2, 3], "text": pa.array(["abcdefgh", None, "ijklmnop"], kind)})
        pq.write_table(table, tmp_path / "rows.parquet")
        contexts = load_contexts(tmp_path / "rows.parquet", model, length=8)
        assert texts_of(contexts, model.tokenizer) == ["abcdefg", "ijklmno"]
        assert contexts.documents.tolist() == [0, 2]


def _write(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def _write_parquet(**columns: list[object]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        pq.write_table(pa.table(columns), folder / "rows.parquet")
        return folder / "rows.parquet"

    return write


BAD_FILES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda folder: folder / "absent.txt", r"There is no file .*absent\.txt"),
    "folder": (lambda folder: folder, r"There is no file"),
    "suffix": (
        _write("a.csv", b"text"),
        r"a\.csv has the suffix '\.csv'; a corpus is a file \.txt, \.jsonl, \.parquet",
    ),
    "empty": (_write("a.txt", b""), r"Corpus a\.txt has no document of 7 tokens"),
    "no rows": (_write("a.jsonl", b"\n\n"), r"Corpus a\.jsonl has no document of 7 tokens"),
    "too short": (_write("a.txt", b"abc"), r"no document of 7 tokens, the least that fills a context of 8"),
    "latin-1": (_write("a.txt", b"first line\ncaf\xe9 au lait\n"), r"a\.txt is not UTF-8 text: byte 14 is not"),
    "utf-16": (_write("a.txt", "hello".encode("utf-16")), r"a\.txt is not UTF-8 text: byte 0 is not"),
    "json bytes": (_write("a.jsonl", b'{"text": "\xff"}'), r"a\.jsonl is not UTF-8 text: byte 10"),
    "json": (_write("a.jsonl", b'{"text": "abc"}\n\n{"text": \n'), r"a\.jsonl, line 3: this is not JSON"),
    "no text": (_write("a.jsonl", b'{"txt": "abc"}\n'), r'a\.jsonl, line 1: there is no string "text"'),
    "no string": (_write("a.jsonl", b'{"text": 3}\n'), r'line 1: there is no string "text"'),
    "no record": (_write("a.jsonl", b'["text"]\n'), r'line 1: there is no string "text"'),
    "surrogate": (
        _write("a.jsonl", b'{"text": "abc\\ud800defgh"}\n'),
        r"a\.jsonl, documents 1 to 1: .* not valid Unicode",
    ),
    "no parquet": (_write("a.parquet", b"PAR1 nothing"), r"a\.parquet can't be read as Parquet \("),
    "empty parquet": (_write("a.parquet", b""), r"a\.parquet can't be read as Parquet \("),
    "no column": (_write_parquet(body=["abc"], n=[1]), r'rows\.parquet has no column "text", only body, n\.'),
    "numbers": (_write_parquet(text=[1, 2]), r'rows\.parquet: column "text" holds int64, not strings'),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_gives_one_sentence(model: Model, tmp_path: Path, case: str) -> None:
    make, message = BAD_FILES[case]
    with pytest.raises(NbkitError, match=message):
        load_contexts(make(tmp_path), model, length=8)


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


class FakeDataset:
    """What `datasets.load_dataset(..., streaming=True)` returns, as far as it is used."""

    def __init__(self, rows: Sequence[Any], column_names: list[str] | None) -> None:
        self.rows, self.column_names = rows, column_names

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str | None], Any]:
    """A hub in reach; maps (data set, config) to a data set or an error. A revision is appended to the name."""
    import datasets
    import huggingface_hub

    held: dict[tuple[str, str | None], Any] = {}

    def load(name: str, config: str | None, *, split: str, streaming: bool, revision: str = "") -> FakeDataset:
        assert (split, streaming) == ("train", True)
        found = held[name + revision, config]
        if isinstance(found, Exception):
            raise found
        assert isinstance(found, FakeDataset)
        return found

    monkeypatch.delenv("NBKIT_OFFLINE", raising=False)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_: None)
    monkeypatch.setattr(datasets, "load_dataset", load)
    return held


def test_a_hub_data_set_is_streamed(model: Model, hub: dict[tuple[str, str | None], Any]) -> None:
    rows = [{"text": "abcdefgh"}, {"text": None}, {"text": "ijklmnop"}]
    hub["owner/set", None] = FakeDataset(rows, ["text"])
    hub["owner/set", "small"] = FakeDataset(rows[2:], None)
    contexts = load_contexts("hf:owner/set", model, length=8)
    assert (texts_of(contexts, model.tokenizer), contexts.documents.tolist()) == (["abcdefg", "ijklmno"], [0, 2])
    assert texts_of(load_contexts("hf:owner/set:small", model, length=8), model.tokenizer) == ["ijklmno"]


def test_a_data_set_defined_by_a_script_is_read_from_its_parquet_copy(
    model: Model, hub: dict[tuple[str, str | None], Any]
) -> None:
    hub["Skylion007/openwebtext", None] = RuntimeError("Dataset scripts are no longer supported, but found x.py")
    hub["Skylion007/openwebtextrefs/convert/parquet", None] = FakeDataset([{"text": "abcdefgh"}], ["text"])
    contexts = load_contexts("openwebtext", model, length=8)
    assert (texts_of(contexts, model.tokenizer), contexts.name) == (["abcdefg"], "openwebtext")


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (FakeDataset([], ["body", "id"]), 'Corpus hf:owner/set has no column "text", only body, id'),
        (FakeDataset([{"body": "a"}], None), r"Corpus hf:owner/set can't be streamed \('text'\)"),
        (FakeDataset([], ["text"]), "Corpus hf:owner/set has no document of 7 tokens"),
        (ValueError("Bad split: train"), r"hf:owner/set can't be streamed \(Bad split: train\): .*must have the split"),
        (RuntimeError("broken"), r"hf:owner/set can't be streamed \(broken\)"),
        (
            ConnectionError("Couldn't reach the Hub\nmore"),
            r"\(Couldn't reach the Hub\): a hub must be in reach .*use brown",
        ),
    ],
)
def test_a_hub_data_set_that_cannot_be_read(
    model: Model, hub: dict[tuple[str, str | None], Any], found: Any, message: str
) -> None:
    hub["owner/set", None] = found
    with pytest.raises(NbkitError, match=message):
        load_contexts("hf:owner/set", model, length=8)


@pytest.mark.usefixtures("hub")
def test_a_data_set_that_the_hub_does_not_have(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def refuse(*_: object) -> None:
        response: Any = SimpleNamespace(headers={}, request=None, status_code=404)
        raise huggingface_hub.errors.RepositoryNotFoundError("404", response=response)

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", refuse)
    with pytest.raises(NbkitError, match="The hub has no data set 'owner/absent'"):
        load_contexts("hf:owner/absent", model, length=8)
    monkeypatch.undo()
    with pytest.raises(NbkitError, match="The hub has no data set 'not a name'"):
        load_contexts("hf:not a name", model, length=8)


def test_offline_no_hub_is_asked(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBKIT_OFFLINE", "1")
    for corpus in ("openwebtext", "hf:owner/set"):
        with pytest.raises(NbkitError, match=f"Corpus {corpus} is streamed from a hub, and NBKIT_OFFLINE forbids"):
            load_contexts(corpus, model, length=8)


def test_brown_fills_about_as_many_contexts_as_the_paper_read() -> None:
    tokenizer = smollm2_tokenizer()
    contexts = load_contexts("brown", Model(tokenizer, n_ctx=8192), length=128, limit=20_000)
    assert contexts.tokens.shape == (10_022, 128)
    assert contexts.documents[[0, -1]].tolist() == [0, 499]
    assert (contexts.tokens[:, 0] == tokenizer.bos_token_id).all()
    assert not np.isin(contexts.tokens[:, 1:], tokenizer.all_special_ids).any()
