"""A Sphinx extension that takes from each page what it doesn't need, when all have been written.

Themes and extensions put their scripts and styles on all pages alike: a search engine where nothing is searched, two
megabytes of icons for a dozen of them, MathJax for formulas that can be typeset once.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from sphinx.application import Sphinx

from nbkit.book.maths import typeset

MATHS = "maths.css"
NEEDED_BY = (
    (r"fontawesome\.js", None),  # icons.css has the icons
    (r"(?:searchtools|language_data|searchindex)\.js", r'id="search-results"'),
    (r"sphinx-design\.min\.css|design-tabs\.js", r'class="(?:[^"]* )?sd-'),
    (r"togglebutton\.(?:css|js)", r'class="(?:[^"]* )?(?:toggle|admonition dropdown|dropdown admonition)[ "]'),
    (r"clipboard\.min\.js|copybutton\.(?:css|js)", r'class="highlight'),
    (r"mystnb\.\w+\.css", r'class="cell'),
    # typesets the labels of ipywidgets
    (r"tex-mml-chtml\.js", r"application/vnd\.jupyter\.widget-state\+json"),
)
"""A file that all pages load, and what stands on a page that needs it; None: no page does."""
LOADED = re.compile(
    r'<(?:script|link)\b[^>]*?(?:src|href)="[^"]*?(?P<file>[\w.-]+\.(?:js|css))(?:\?[^"]*)?"[^>]*>(?:</script>)?\n?'
)
BLOCKING = re.compile(r"<script (?=[^>]*\bsrc=)(?![^>]*\bdefer)")
AFTER_BLOCKING = re.compile(r"<script>(?=DOCUMENTATION_OPTIONS)")
# Rules of style look ahead (`:has`): a page half read would be laid out otherwise, and jump.
WAIT_FOR_WHOLE = '<link blocking="render" href="#page-end" rel="expect"/>\n'
LAST = '<footer class="bd-footer-content"'
ICON_RULE = re.compile(
    r"(?<=[};/])(?:\.fa(?:[brs]|-[\w-]+)?(?:::?[\w-]+)?,?)+\{[^{}]*\}"
    r"|@font-face\{[^}]*Font Awesome[^}]*\}"
    r"|@(?:-webkit-)?keyframes fa-[\w-]+\{(?:[^{}]*\{[^{}]*\})*\}"
)
UNUSED = ("vendor/fontawesome", "scripts/fontawesome.js", "scripts/fontawesome.js.LICENSE.txt")


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx, since `_config.yml` names this module."""
    app.connect("build-finished", _lighten, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _lighten(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        lighten(Path(app.outdir))


def lighten(site: Path) -> None:
    """Typeset the formulas of a folder of pages, and take from each page the scripts and styles that it doesn't need.

    Raises:
        NbkitError: a formula can't be typeset (see `typeset`).
    """
    pages = sorted(site.rglob("*.html"))
    with_maths = typeset(pages, site / "_static" / MATHS)
    for page in pages:
        text = without_the_unneeded(page.read_text(encoding="utf-8"))
        if page in with_maths:
            root = "../" * (len(page.relative_to(site).parts) - 1)
            text = text.replace("</head>", f'<link href="{root}_static/{MATHS}" rel="stylesheet"/>\n</head>', 1)
        page.write_text(text, encoding="utf-8")
    _forget_icons(site / "_static")


def without_the_unneeded(page: str) -> str:
    """The HTML of a page that loads what it needs, no script before it is read to its end, and is seen as a whole."""

    def kept(found: re.Match[str]) -> str:
        for files, needed in NEEDED_BY:
            if re.fullmatch(files, found["file"]):
                return found[0] if needed and re.search(needed, page) else ""
        return found[0]

    head, end, body = LOADED.sub(kept, page).partition("</head>")
    if LAST in body:
        head, body = head + WAIT_FOR_WHOLE, body.replace(LAST, LAST.replace(" ", ' id="page-end" ', 1), 1)
    if 'id="search-results"' in body:  # the search engine counts on the order
        return head + end + body
    return AFTER_BLOCKING.sub('<script type="module">', BLOCKING.sub("<script defer ", head)) + end + body


def _forget_icons(static: Path) -> None:
    """Remove the theme's icon font and its rules, the larger part of what a page loads."""
    for name in UNUSED:
        path = static / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for path in static.rglob("*.map"):  # for those who mend the theme
        path.unlink()
    for path in (static / "styles").glob("*.css"):
        path.write_text(ICON_RULE.sub("", path.read_text(encoding="utf-8")), encoding="utf-8")
