"""Every option of every command with values that nobody should give: exit status 0, or 2 and one sentence."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nbkit.cli import main
from nbkit.models import LanguageModel

TEXT = "The quick brown fox jumps over the lazy dog, and again. " * 30
LONG, DEEP = "x" * 300, "x/" * 3000
ESCAPES = "a\x1b[31m\u202eb\nc"
NOT_UTF8 = os.fsdecode(b"\xff\xfe")
NAMES = ["", " ", ".", "/", "~nobody-here", LONG, DEEP, ESCAPES, NOT_UTF8, "{folder}", "{file}", "{file}/x", "-"]
NUMBERS = ["", "x", "-1", "0", "1.5", "1e3", "nan", "99999999999999999999", "９", "0x10", ESCAPES, NOT_UTF8]
OPTIONS = {
    "--out": [*NAMES, "/proc/nowhere"],
    "--model": [*NAMES, "hf:", "a/b/c", "gpt-2-tiny"],
    "--corpus": [*NAMES, "hf:", "hf:a:b:c:d", "hf:" + LONG, "{folder}/x.parquet", "{binary}", "brwn"],
    "--maxima": [*NAMES, "{binary}"],
    "--layers": ["", " ", ",", "-", "0-", "2-1", "0,,1", "99999999999999999999", "0-9999", "９", "all,0", ESCAPES],
    "--length": NUMBERS,
    "--limit": NUMBERS,
    "--threshold": [*NUMBERS, "inf", "-0.0", "1e-400"],
    "--max-examples": NUMBERS,
    "--batch-size": NUMBERS,
    "--seed": [number for number in NUMBERS if number != "-1"],  # the config's tests have it
    "--weights": ["", "Native", ESCAPES, LONG],
    "--embedding": ["", "up", "pre_mlp", ESCAPES],
    "--sign": ["", "Both", "+", ESCAPES],
    "--dtype": ["", "float64", "int8", ESCAPES],
    "--device": ["", "meta", "cuda:99", "cuda:x", "mps", "cpu:1", "gpu", ESCAPES],
    "--device-map": ["", "auto", "cuda:0", ESCAPES],
    "--max-memory": ["", "0", "cpu=", "cpu=1.2.3GB", "disk=1GB", "９=1GB", "0=1GB", ESCAPES],
    "--offload-folder": ["{file}", NOT_UTF8],
}
OTHERS = [
    *(["fetch", name] for name in ["", LONG, ESCAPES, NOT_UTF8, "brown", "../brown"]),
    *(["check", name] for name in NAMES if name != "/"),  # which takes as long as the machine is large
    *(["book", "--profile", name] for name in ["", ".", "../x", LONG, DEEP, ESCAPES, NOT_UTF8]),
    *(["site", name, "site"] for name in ["", ".", "{folder}", LONG, ESCAPES, NOT_UTF8]),
    *(["site"], ["site", "{folder}"], ["site", "a", "b", "c", "d"], ["site", "--zip"], ["neuronpedia", "{file}"]),
    *(["neuronpedia", name, "out"] for name in ["", "{folder}", "{file}", DEEP, NOT_UTF8]),
    *(["neuronpedia", "{folder}", "out", "--layers", "9-1"], ["neuronpedia", "--help"], ["site", "--help"]),
    *([ESCAPES], ["--" + ESCAPES], ["atlas", ESCAPES], ["atlas", "--out"], ["atlas", "--out=x", "--out=y", "--nope"]),
    *(["--help"], ["atlas", "--help"], ["check", "--help"], ["--version"], []),
]
LINES = [["atlas", option, value] for option, values in OPTIONS.items() for value in values] + OTHERS


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that has a file, a folder and a file of bytes."""
    for name, content in (("file", TEXT.encode()), ("fox.txt", TEXT.encode()), ("binary.npy", bytes(range(256)))):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NBKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NBKIT_OFFLINE", "1")
    return tmp_path


@pytest.fixture(scope="module")
def _model_at_hand(tiny_model: Callable[[str], LanguageModel], tiny_folder: Callable[[str], Path]) -> Iterator[None]:
    """The tiny model opens at once where a command line doesn't ask for anything else of it."""
    import nbkit.models

    opened, usual = nbkit.models.load_model, (str(tiny_folder("gpt2")), "float32", "cpu")

    def load_model(name: str, **options: Any) -> LanguageModel:
        same = (name, *filter(None, options.values())) == usual
        return tiny_model("gpt2") if same else opened(name, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nbkit.models, "load_model", load_model)
        yield


@pytest.mark.usefixtures("_model_at_hand")
@pytest.mark.parametrize("line", LINES, ids=[" ".join(line).encode("unicode_escape").decode()[:60] for line in LINES])
def test_a_command_line_ends_well_or_with_a_sentence(
    line: list[str],
    place: Path,
    tiny_folder: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    words = [word.format(folder=place / "folder", file=place / "file", binary=place / "binary.npy") for word in line]
    if line[:1] == ["atlas"] and len(line) == 3:
        usual = {"--out": "atlas", "--model": str(tiny_folder("gpt2")), "--corpus": "fox.txt", "--length": "16"}
        usual |= {"--limit": "10", "--layers": "1", "--dtype": "float32", "--device": "cpu"}
        words = ["atlas", *(word for option, value in usual.items() if option != line[1] for word in (option, value))]
        words += [line[1], line[2].format(folder=place / "folder", file=place / "file", binary=place / "binary.npy")]
    monkeypatch.setattr(sys, "argv", ["nbkit", *words])
    before = {path.name for path in place.iterdir()}
    with pytest.raises(SystemExit) as end:
        main()
    out, err = capfd.readouterr()
    said = [text for text in err.splitlines() if text.startswith("nbkit: ")]
    assert "Traceback" not in err and "\x1b" not in err + out and "\u202e" not in err + out
    if end.value.code in (0, None) or line == []:
        assert said == []
        return
    assert end.value.code == 2 and len(said) == 1, err
    assert said[0].isprintable() and err.rstrip().splitlines()[-1] == said[0]
    assert len(said[0]) <= 620  # with a path or a library's reason in it
    assert {path.name for path in place.iterdir()} - before <= {"cache"}
