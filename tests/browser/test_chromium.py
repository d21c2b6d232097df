"""The browser of the page tests: found, installed where there is none, and quiet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium


def executable(path: Path, exit_status: int) -> Path:
    path.write_text(f"#!/bin/sh\nexit {exit_status}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_browser_runs_the_scripts_of_a_page(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content("<p></p><script>document.querySelector('p').textContent = [1, 2, 3].at(-1)</script>")
    assert page.text_content("p") == "3"
    page.close()


def test_a_browser_that_does_not_start_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = executable(tmp_path / "chromium-browser", exit_status=1)
    real = executable(tmp_path / "google-chrome", exit_status=0)
    monkeypatch.setattr(chromium, "_candidates", lambda: [tmp_path / "absent", stub, real])
    assert chromium.find_or_install_chromium() == real


def test_the_first_installation_that_brings_a_browser_is_the_last_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought = tmp_path / "brought"
    commands: list[str] = []

    def install(command: Sequence[str]) -> str:
        commands.append(command[0])
        if command[0] == "second":
            executable(brought, exit_status=0)
        return ""

    monkeypatch.setattr(chromium, "_candidates", lambda: [brought])
    monkeypatch.setattr(chromium, "_installations", lambda: [("first",), ("second",), ("third",)])
    monkeypatch.setattr(chromium, "_output", install)
    assert chromium.find_or_install_chromium() == brought
    assert commands == ["first", "second"]


def test_without_any_browser_the_error_says_what_was_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chromium, "_candidates", lambda: [tmp_path / "absent"])
    monkeypatch.setattr(chromium, "_installations", lambda: [("sh", "-c", "echo no network >&2; exit 1")])
    with pytest.raises(RuntimeError, match=r"need Chromium or Chrome(.|\n)*no network"):
        chromium.find_or_install_chromium()
