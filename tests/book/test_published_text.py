"""What a book publishes names no place on the machine that built it, in text or in what its pages unpack."""

from __future__ import annotations

import base64
import re
import sys
import tempfile
import zlib
from pathlib import Path

import pytest

from nbkit.assets import cache_folder
from tests.browser.published_text import published_text
from tests.examples.mini_book import REPOSITORY

PLACES = {
    str(place)
    for place in (
        REPOSITORY,
        Path.home(),
        Path.cwd(),
        tempfile.gettempdir(),
        cache_folder(),
        sys.prefix,
        sys.base_prefix,
    )
    if len(Path(place).parts) > 1
}


def places_in(pages: Path, *more: Path) -> set[str]:
    """Each place of this machine that is named, with the file that names it."""
    names = "|".join(re.escape(str(place)) for place in {*PLACES, *map(str, more)})
    pattern = re.compile(rf"(?:file://|(?<![\w.:/-]))({names})(?![\w-])".encode())
    named = {(path, place.decode()) for path, content in published_text(pages) for place in pattern.findall(content)}
    return {f"{path}: {place}" for path, place in named}


def test_a_book_names_no_place_of_the_machine_that_built_it(mini_book: Path) -> None:
    assert places_in(mini_book, mini_book.parents[1]) == set()
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
