"""Make the pages of a book from its executed sources, with Jupyter Book."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from nbkit.errors import NbkitError
from nbkit.parallel.children import run_guarded


def make_pages(source: Path, config: Path, toc: Path, out: Path) -> Path:
    """Build `out`/html from the folder `source`; what Sphinx complains about goes to stderr.

    In a process of its own: Sphinx and docutils change global state, and their extensions trip over strict filters
    for warnings.

    Raises:
        NbkitError: Sphinx reported an error or a warning.
    """
    html, doctrees = out / "html", out / ".doctrees"
    for old in (html, doctrees):
        shutil.rmtree(old, ignore_errors=True)
    done = run_guarded([sys.executable, "-m", "nbkit.book.pages", source, config, toc, html, doctrees], capture=False)
    if done.returncode:
        raise NbkitError("The pages were not built: mend what Sphinx reports above; warnings are errors here.")
    return html


def _run_sphinx(source: str, config: str, toc: str, html: str, doctrees: str) -> bool:
    """What `jupyter-book build -W -n --keep-going` does, which would dictate the names of the folders."""
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # a grammar of addresses, over a second to read
    from jupyter_book.sphinx import build_sphinx  # heavy, and needed in this process only

    status = build_sphinx(
        source,
        html,
        path_config=config,
        noconfig=True,
        confoverrides={"external_toc_path": toc, "nitpicky": True, "latex_individualpages": False},
        doctreedir=doctrees,
        quiet=True,
        warningiserror=True,
        keep_going=True,
    )
    return bool(status == 0)


if __name__ == "__main__":
    sys.exit(not _run_sphinx(*sys.argv[1:]))
