"""Corpus files of every form, with flipped bits, cut, torn open or mislabeled: read, or refused in a sentence."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from nbkit.corpora import load_contexts
from nbkit.errors import NbkitError
from tests.corpora.test_corpus_forms import COMPRESS, FILES
from tests.examples.byte_model import ByteModel


def damaged(content: bytes, how: str, rng: random.Random) -> bytes:
    raw, place = bytearray(content), rng.randrange(len(content))
    match how:
        case "flipped":
            for _ in range(rng.choice([1, 1, 5, 30])):
                raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        case "cut":
            del raw[place:]
        case "torn":
            raw[place:place] = rng.randbytes(rng.randrange(1, 50))
    return bytes(raw)


@pytest.mark.parametrize("how", ["flipped", "cut", "torn", "mislabeled"])
def test_a_damaged_file_is_read_or_refused(how: str, tmp_path: Path) -> None:
    rng, refused = random.Random(f"corpus {how}"), dict[Path, str]()
    for number in range(60):
        name, suffix = rng.choice(list(FILES)), rng.choice(["", "", *COMPRESS])
        content = damaged(COMPRESS[suffix](FILES[name]), how, rng)
        path = tmp_path / f"{number}-{rng.choice(list(FILES)) if how == 'mislabeled' else name}{suffix}"
        path.write_bytes(content)
        try:
            load_contexts(path, ByteModel(), length=8)
        except NbkitError as error:  # any other error fails the test
            refused[path] = str(error)
    assert len(refused) > 20
    for path, message in refused.items():
        assert path.name in message and "\n" not in message and len(message) <= 300 + len(str(path))
