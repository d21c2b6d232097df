"""Checksums in files, against every bit of small ones; safetensors of our own writing, against the library."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from nbkit import files
from nbkit.errors import NbkitError
from nbkit.files.seal import SEAL_MARK
from tests.files.flips import flipped

TENSORS = {
    "half": torch.tensor([[1.5, -2.0]], dtype=torch.bfloat16),
    "bytes": torch.arange(5, dtype=torch.uint8),
    "empty": torch.empty(0, 3),
    "one": torch.tensor(3.25, dtype=torch.float64),
    "whether": torch.tensor([True, False]),
    "strided": torch.arange(6).view(2, 3).T,
}
TABLE = pd.DataFrame({"layer": [0, 1], "text": ["a", "b"], "metric": [0.5, np.nan]})
WRITE: dict[str, Callable[[Path], None]] = {
    "some.safetensors": lambda path: files.write_tensors(TENSORS, path, {"run": "r", "step": "7"}),
    "some.parquet": lambda path: files.write_table(TABLE.copy(), path),
    "some.json": lambda path: files.write_json({"schema": 1, "text": "naïve"}, path),
}


@pytest.mark.parametrize("name", WRITE)
def test_a_flipped_bit_is_found_wherever_it_is(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    WRITE[name](path)
    assert files.check_seal(path)
    whole = path.read_bytes()
    mark = whole.rindex(SEAL_MARK.encode())
    for bit in range(0, 8 * len(whole), 7):  # of every byte one or two, each of the eight as often
        path.write_bytes(flipped(whole, bit))
        unsealed = found = False
        try:
            unsealed = not files.check_seal(path)
        except NbkitError:
            found = True
        assert found or (unsealed and mark <= bit // 8 < mark + len(SEAL_MARK) + 64), bit  # all else is as it was


def test_the_seal_is_the_sum_of_all_bytes_but_its_own(tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    WRITE["some.json"](path)
    seal = json.loads(path.read_text())["seal"]
    blank = path.read_bytes().replace(seal.encode(), SEAL_MARK.encode() + b"0" * 64)
    assert seal == SEAL_MARK + hashlib.sha256(blank).hexdigest()


def test_a_change_that_keeps_size_and_times_is_seen_in_the_same_process(tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    WRITE["some.json"](path)
    files.check_seal(path)
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"na", b"nb"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(NbkitError, match=r"can't be read \(damaged: "):
        files.check_seal(path)


def test_a_seal_in_the_text_of_a_file_is_not_taken_for_its_own(tmp_path: Path) -> None:
    hostile = SEAL_MARK + "f" * 64
    files.write_json({"schema": 1, "text": hostile}, tmp_path / "some.json")
    files.write_table(pd.DataFrame({hostile: [hostile]}), tmp_path / "some.parquet")
    assert files.check_seal(tmp_path / "some.json") and files.check_seal(tmp_path / "some.parquet")
    assert files.read_json(tmp_path / "some.json") == {"schema": 1, "text": hostile}


def test_files_without_a_seal_are_read(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "a.safetensors")
    TABLE.to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.json").write_text('{"schema": 1}')
    assert not any(files.check_seal(path) for path in tmp_path.iterdir())
    assert files.read_tensors(tmp_path / "a.safetensors")["a"].tolist() == [1, 1]
    pd.testing.assert_frame_equal(files.read_table(tmp_path / "a.parquet"), TABLE)
    assert files.read_json(tmp_path / "a.json") == {"schema": 1}


def test_tensors_are_what_the_library_reads(tmp_path: Path) -> None:
    path = tmp_path / "some.safetensors"
    WRITE["some.safetensors"](path)
    theirs = load_file(path)
    assert theirs.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert theirs[name].dtype == tensor.dtype and torch.equal(theirs[name], tensor)
    with safe_open(path, framework="pt") as file:
        assert file.metadata().items() >= {"run": "r", "step": "7", "nbkit_schema": "1"}.items()


def test_tables_come_back_as_they_were(tmp_path: Path) -> None:
    WRITE["some.parquet"](tmp_path / "some.parquet")
    pd.testing.assert_frame_equal(files.read_table(tmp_path / "some.parquet"), TABLE)
    assert pd.read_parquet(tmp_path / "some.parquet").attrs == {"nbkit_schema": 1}


def test_other_processes_write_the_same_bytes(tmp_path: Path) -> None:
    code = (
        "import sys, torch\nfrom pathlib import Path\nfrom nbkit import files\n"
        "files.write_tensors({'a': torch.ones(2)}, Path(sys.argv[1]), dict(run='r', step='7', dtype='d', other='o'))"
    )
    written = set()
    for seed in ("1", "2", "3"):
        path = tmp_path / seed
        subprocess.run([sys.executable, "-c", code, path], check=True, env=os.environ | {"PYTHONHASHSEED": seed})
        written.add(path.read_bytes())
    assert len(written) == 1


@pytest.mark.parametrize("text", ["", "{", "\x00", "[" * 100_000, '{"schema": 1}}', "nan" * 3])
def test_what_is_not_json_is_told_in_a_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "some.json").write_text(text)
    with pytest.raises(NbkitError, match=r"some.json can't be read \(.*\): delete it and make it again"):
        files.read_json(tmp_path / "some.json")


def test_text_of_another_encoding_and_size_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(NbkitError, match="can't be read"):
        files.read_json(path)
    with path.open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(NbkitError, match="it is too large"):
        files.read_json(path)
