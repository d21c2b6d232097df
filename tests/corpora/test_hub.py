"""Data sets of a hub that is not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from nbkit.corpora import load_contexts
from nbkit.errors import NbkitError
from tests.examples.byte_model import ByteModel as Model
from tests.examples.byte_model import texts_of


@pytest.fixture
def model() -> Model:
    """A model with a BOS token."""
    return Model()


class FakeDataset:
    """What `datasets.load_dataset(..., streaming=True)` returns, as far as it is used."""

    def __init__(self, rows: Sequence[Any], column_names: list[str] | None) -> None:
        self.rows, self.column_names = rows, column_names

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str | None], Any]:
    """A hub in reach; maps (data set, config) to a data set or an error. A revision and any split but "train" are
    appended to the name."""
    import datasets
    import huggingface_hub

    held: dict[tuple[str, str | None], Any] = {}

    def load(name: str, config: str | None, *, split: str, streaming: bool, revision: str = "") -> FakeDataset:
        assert streaming
        found = held[name + revision + (split if split != "train" else ""), config]
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


def test_any_split_and_any_column_of_a_data_set(model: Model, hub: dict[tuple[str, str | None], Any]) -> None:
    hub["owner/settest", None] = FakeDataset([{"body": "abcdefgh"}], ["body"])
    hub["owner/settest", "small"] = FakeDataset([{"body": "ijklmnop"}], ["body"])
    for name, text in (("hf:owner/set::test", "abcdefg"), ("hf:owner/set:small:test", "ijklmno")):
        contexts = load_contexts(name, model, length=8, field="body")
        assert (texts_of(contexts, model.tokenizer), contexts.name) == ([text], name)


@pytest.mark.parametrize("name", ["hf:", "hf::small", "hf:owner/set:small:test:more"])
def test_a_name_that_is_of_no_data_set(model: Model, name: str) -> None:
    with pytest.raises(NbkitError, match="is no data set: write hf:<data set>, or"):
        load_contexts(name, model, length=8)


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
        (FakeDataset([{"body": "a"}], None), 'Corpus hf:owner/set, row 1 has no field "text", only body'),
        (FakeDataset([{"text": ["a"]}], None), 'hf:owner/set, row 1, field "text" holds list, not a string'),
        (FakeDataset([{"text": None}, {"text": 3}], None), 'hf:owner/set, row 2, field "text" holds int, not a string'),
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
