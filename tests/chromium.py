"""Where the page tests get their browser from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

BROWSER_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MACOS_BROWSERS = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
)


def find_or_install_chromium() -> Path:
    """Return the executable of a Chromium: one on the machine, else from apt, else Playwright's own.

    Raises:
        RuntimeError: none of the three could be had; the message holds what each attempt printed.
    """
    found = _find()
    if found:
        return found
    attempts = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if shutil.which("apt-get") and os.geteuid() == 0:
        attempts.insert(0, ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"])
        attempts.insert(0, ["apt-get", "update"])
    said = []
    for command in attempts:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )
        found = _find()
        if found:
            return found
        said.append(f"$ {' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    raise RuntimeError(
        "The page tests need Chromium or Chrome: install one and run again. Tried:\n" + "\n".join(said)
    )


def _find() -> Path | None:
    for name in BROWSER_NAMES:
        path = shutil.which(name)
        if path:
            return Path(path)
    with sync_playwright() as playwright:
        candidates = (*MACOS_BROWSERS, Path(playwright.chromium.executable_path))
    return next((path for path in candidates if path.exists()), None)
