"""Contexts as files: what comes back is what was written, mapped."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from nbkit.corpora import Contexts, load_contexts, open_contexts, write_contexts
from nbkit.corpora.context_files import ABOUT_CONTEXTS, TOKENS
from nbkit.errors import NbkitError
from nbkit.files import check
from tests.examples.byte_model import BOS, ByteModel, byte_tokenizer


@pytest.fixture
def contexts() -> Contexts:
    model = ByteModel(byte_tokenizer(bos_token=BOS))
    return load_contexts(["twelve times", "", "thirteen times or more"], model, length=8, name="some `text`")


def assert_equal(found: Contexts, expected: Contexts) -> None:
    for field in fields(Contexts):
        one, other = (getattr(each, field.name) for each in (found, expected))
        if isinstance(other, np.ndarray):
            np.testing.assert_array_equal(one, other, strict=True)
        else:
            assert one == other, field.name
    assert found.sha256 == expected.sha256 and found.around == expected.around


def test_contexts_come_back_as_they_were(contexts: Contexts, tmp_path: Path) -> None:
    write_contexts(contexts, tmp_path / "new" / "folder")
    found = open_contexts(str(tmp_path / "new" / "folder"))
    assert_equal(found, contexts)
    assert not found.tokens.flags.writeable and not found.documents.flags.writeable
    assert check(tmp_path).intact == 2
    bare = replace(contexts, added=None, vocabulary_sha256=None, summary=None)
    write_contexts(bare, tmp_path / "new" / "folder")
    assert_equal(open_contexts(tmp_path / "new" / "folder"), bare)


def test_written_twice_they_are_the_same_bytes(contexts: Contexts, tmp_path: Path) -> None:
    write_contexts(contexts, tmp_path / "one")
    write_contexts(open_contexts(tmp_path / "one"), tmp_path / "two")
    for name in (TOKENS, ABOUT_CONTEXTS):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_what_is_not_whole_is_refused(contexts: Contexts, tmp_path: Path) -> None:
    with pytest.raises(NbkitError, match="no contexts in"):
        open_contexts(tmp_path)
    write_contexts(contexts, tmp_path)
    about = json.loads((tmp_path / ABOUT_CONTEXTS).read_text())
    del about["seal"]
    for change in ({"schema": 2}, {"special": [99]}, {"positions": -1}, {"summary": {}}, {"added": [1]}):
        (tmp_path / ABOUT_CONTEXTS).write_text(json.dumps(about | change))
        with pytest.raises(NbkitError, match="not as this nbkit writes it"):
            open_contexts(tmp_path)
    (tmp_path / ABOUT_CONTEXTS).write_text(json.dumps(about))
    (tmp_path / TOKENS).write_bytes((tmp_path / TOKENS).read_bytes()[:-1])
    with pytest.raises(NbkitError, match="can't be read"):
        open_contexts(tmp_path)
