"""Where the page tests get their browser from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import sync_playwright

SHELL = "chromium-headless-shell"
"""Chromium without windows, and Debian's package of it: a page takes a third to two thirds of the processor time."""
BROWSER_NAMES = (SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MACOS_BROWSERS = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
)


def find_or_install_chromium() -> Path:
    """Return the executable of a Chromium: one on the machine, else from apt, else Playwright's own.

    Raises:
        RuntimeError: none of the three could be had; the message holds what each attempt printed.
    """
    said = []
    for command in ((), *_installations()):
        if command:
            said.append(f"$ {' '.join(command)}\n{_output(command)}")
        path = next(filter(_starts, _candidates()), None)
        if path:
            return path
    raise RuntimeError(
        "The page tests need Chromium or Chrome: install one, then run again. Tried:\n" + "\n".join(said)
    )


def _installations() -> list[tuple[str, ...]]:
    playwright = (sys.executable, "-m", "playwright", "install", "chromium")
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return [playwright]
    apt = ("apt-get", "install", "--yes", "--no-install-recommends")
    return [("apt-get", "update"), (*apt, SHELL), (*apt, "chromium"), (*playwright, "--with-deps")]


def _candidates() -> list[Path]:
    on_path = [Path(found) for found in map(shutil.which, BROWSER_NAMES) if found]
    with sync_playwright() as playwright:
        return [*on_path, *MACOS_BROWSERS, Path(playwright.chromium.executable_path)]


def _starts(path: Path) -> bool:
    """Tell a browser from nothing, and from the script in its place that only says how to install one (Ubuntu)."""
    return path.exists() and subprocess.run([path, "--version"], capture_output=True).returncode == 0


def _output(command: Sequence[str]) -> str:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment)
    return (done.stdout + done.stderr)[-2000:]
