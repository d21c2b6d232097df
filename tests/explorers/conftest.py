"""The small book's atlas, and where its pages are reached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nbkit.atlas.atlas import Atlas, open_atlas
from tests.browser import page_checks as checks


@pytest.fixture(scope="module")
def atlas(mini_book: Path) -> Atlas:
    """The atlas of the small book."""
    [site] = (mini_book / "_static" / "atlases").iterdir()
    return open_atlas(mini_book.parents[1] / "cache" / "atlases" / site.name)


@pytest.fixture(scope="module", params=["file", "http"])
def base(request: pytest.FixtureRequest, mini_book: Path) -> Iterator[str]:
    """The address of the small book, as files and over http."""
    with checks.reached(mini_book, request.param) as address:
        yield address
