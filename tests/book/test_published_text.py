"""What a book publishes names no place on the machine that built it, in text or in what its pages unpack."""

from __future__ import annotations

import base64
import tempfile
import zlib
from pathlib import Path

import pytest

from tests.browser.published_text import places_in, published_text


def test_parameters_that_are_paths_show_their_last_part(mini_book: Path) -> None:
    page = (mini_book / "_sources" / "atlas.ipynb").read_text(encoding="utf-8")
    assert 'model = \\"tiny-model\\"' in page and 'corpus = \\"hostile.jsonl\\"' in page


@pytest.mark.parametrize("wrap", ["plain", "address", "base64", "deflate", "both", "utf-16"])
def test_a_place_is_found_wherever_it_is(wrap: str, tmp_path: Path) -> None:
    text = f'"model": "{tempfile.gettempdir()}/a-model/weights", and then some more'.encode()
    packed = {
        "plain": text,
        "address": text.replace(b': "/', b': "file:///'),
        "base64": b'{"data": "' + base64.b64encode(text) + b'"}',
        "deflate": b"head " + zlib.compress(text),
        "both": b'"' + base64.b64encode(zlib.compress(text)) + b'"',
        "utf-16": text.decode().encode("utf-16"),
    }[wrap]
    (tmp_path / "file.js").write_bytes(packed)
    assert places_in(tmp_path) == {f"file.js: {tempfile.gettempdir()}"}


def test_a_place_in_a_shard_is_found(mini_book: Path) -> None:
    [folder] = (mini_book / "_static" / "atlases").iterdir()
    assert any(b"tiny-model" in content for path, content in published_text(folder) if "overview" in path.name)
