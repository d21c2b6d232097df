"""What tests of atlases on a cluster share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from distributed import Client

from nbkit.parallel.opened_client import opened_client


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Two processes of this machine."""
    with opened_client("local:2") as two:
        assert two is not None
        yield two
