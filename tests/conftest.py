"""Fixtures shared by all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.chromium import find_or_install_chromium

# The same cases in every run, and none fails for the time it takes on a busy machine.
hypothesis.settings.register_profile("nbkit", derandomize=True, deadline=None)
hypothesis.settings.load_profile("nbkit")

BROWSER_FLAGS = (
    "--no-sandbox",  # containers run the tests as root
    "--disable-gpu",
    "--no-first-run",
    # the rest: the browser itself asks the network for nothing, so that every request seen comes from a page
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """A Chromium or Chrome executable; installed if the machine has none."""
    return find_or_install_chromium()


@pytest.fixture(scope="session")
def browser(chromium_path: Path) -> Iterator[Browser]:
    """A headless Chromium that makes no requests of its own."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path, args=list(BROWSER_FLAGS))
        yield chromium
        chromium.close()
