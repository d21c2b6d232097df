"""Folders and patterns: which files they mean, in which order, and what is left out."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from nbkit.corpora import corpus_files, load_contexts
from nbkit.errors import NbkitError
from tests.examples.byte_model import ByteModel, texts_of

FILES = {
    "z.txt": "z" * 7,
    "a.md": "a" * 7,
    "part-10.jsonl": '{"text": "ttttttt"}\n',
    "part-2.jsonl": '{"text": "2222222"}\n{"text": ""}\n',
    "sub/m.py": "m" * 7,
    "sub/deep/c.csv": "n,text\n1,ccccccc\n",
    "sub.txt": "s" * 7,
    ".hidden.txt": "h" * 7,
    ".git/config.txt": "h" * 7,
    "LICENSE": "l" * 7,
    "sub/picture.png": "p" * 7,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of files of all kinds, made in an order that is not theirs."""
    for name, content in FILES.items():
        path = tmp_path / "texts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path / "texts"


def test_a_folder_is_read_in_the_order_of_its_paths(folder: Path) -> None:
    model = ByteModel()
    contexts = load_contexts(folder, model, length=8)
    assert "".join(text[0] for text in texts_of(contexts, model.tokenizer)) == "at2scmz"
    # part-2.jsonl holds another document, without text
    assert contexts.documents.tolist() == [0, 1, 2, 4, 5, 6, 7]
    assert contexts.name == "texts"
    assert contexts.summary is not None
    assert contexts.summary.left_out == ("LICENSE", "picture.png")
    assert str(contexts.summary).endswith("; 2 files of other kinds left out: LICENSE, picture.png.")


@pytest.mark.parametrize(
    ("pattern", "letters", "name"),
    [
        ("*.jsonl", "t2", "texts/*.jsonl"),
        ("part-?.*", "2", "texts/part-?.*"),
        ("**/*.py", "m", "texts/**/*.py"),
        ("*", "at2scmz", "texts/*"),  # folders with all that is below them
        ("s*", "scm", "texts/s*"),
        ("[az].*", "az", "texts/[az].*"),
    ],
)
def test_a_pattern(folder: Path, pattern: str, letters: str, name: str) -> None:
    model = ByteModel()
    contexts = load_contexts(str(folder / pattern), model, length=8)
    assert "".join(text[0] for text in texts_of(contexts, model.tokenizer)) == letters
    assert contexts.name == name


def test_a_file_whose_name_looks_like_a_pattern(folder: Path) -> None:
    model = ByteModel()
    (folder / "b[1].txt").write_text("b" * 7)
    assert texts_of(load_contexts(folder / "b[1].txt", model, length=8), model.tokenizer) == ["b" * 7]


def test_the_same_files_elsewhere_are_the_same_corpus(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ByteModel()
    first = load_contexts(folder, model, length=8)
    copy = folder.rename(tmp_path / "moved")
    for path in list(copy.rglob("*.jsonl")):
        path.with_suffix(".jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    monkeypatch.chdir(copy)
    second = load_contexts(".", model, length=8)
    assert second.sha256 == first.sha256
    assert second.name == "moved"


def test_a_link_is_followed_or_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.txt").write_text("x" * 7)
    (folder / "linked.txt").symlink_to(tmp_path / "other" / "x.txt")
    (folder / "around").symlink_to(folder)
    contexts = load_contexts(folder, ByteModel(), length=8)
    assert len(contexts.tokens) == 8
    assert contexts.summary is not None
    assert "around" in contexts.summary.left_out
    (tmp_path / "other" / "x.txt").unlink()
    with pytest.raises(NbkitError, match=r"linked\.txt can't be read \(No such file"):
        load_contexts(folder, ByteModel(), length=8)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("empty", r"empty is empty: a corpus is made of files \.txt"),
        ("other", r"other has no file that can be read, only a\.bin, b\.bin: a corpus is made of"),
        ("other/*", r"other/\* has no file that can be read, only a\.bin, b\.bin"),
        ("other/*.txt", r"There is no file .*other/\*\.txt"),
        ("absent.csv.gz", r"There is no file .*absent\.csv\.gz"),
        ("absent", r"No corpus is called .*absent'"),
    ],
)
def test_no_files(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "empty" / ".git").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    for other in ("a.bin", "b.bin"):
        (tmp_path / "other" / other).touch()
    with pytest.raises(NbkitError, match=message):
        load_contexts(tmp_path / name, ByteModel(), length=8)


def test_a_bad_file_in_a_folder_is_named(folder: Path) -> None:
    (folder / "sub" / "b.jsonl").write_text('{"text": 1}\n')
    with pytest.raises(NbkitError, match=r'sub/b\.jsonl, line 1, field "text" holds int'):
        load_contexts(folder, ByteModel(), length=8)


def test_which_files_a_name_means(folder: Path) -> None:
    assert corpus_files("brown") == corpus_files("hf:owner/set") == corpus_files("no-such-thing") == ()
    assert [path.name for path in corpus_files(folder / "s*")] == ["sub.txt", "c.csv", "m.py"]
