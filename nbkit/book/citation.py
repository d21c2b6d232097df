"""A Sphinx extension that lets a reader cite a page: as text and as BibTeX, with what it was built from and when."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from nbkit.book.notebooks import default_parameters

PLACEHOLDER = "\0"
BIBTEX_SPECIAL = re.compile(r"([&%$#_{}])")


@dataclass(frozen=True)
class Citation:
    """What a citation of a page says."""

    page: str
    """Its name, a part of the BibTeX key."""
    title: str
    author: str
    book: str
    version: str
    """Of nbkit."""
    profile: str | None
    """None if the page shows no results."""
    built: time.struct_time

    @property
    def made_with(self) -> str:
        """The version, the profile and the date of the build."""
        profile = f", profile {self.profile}" if self.profile else ""
        return f"nbkit {self.version}{profile}, built {time.strftime('%Y-%m-%d', self.built)}"

    def text(self, address: str = "") -> str:
        """One line for a list of references."""
        return f"{self.author}. “{self.title}.” {self.book} ({self.made_with}), {self.built.tm_year}.{address}"

    def bibtex(self, address: str = "") -> str:
        """An entry of a BibTeX file."""
        fields = {
            "title": f"{{{_bibtex(self.title)}}}",
            "author": f"{{{_bibtex(self.author)}}}",
            "year": f"{self.built.tm_year}",
            "note": f"Page of {_bibtex(self.book)}; {_bibtex(self.made_with)}",
        }
        lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
        return f"@misc{{nbkit-{self.page},\n{lines}{address}}}"


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx, since `_config.yml` names this module."""
    app.connect("html-page-context", _add_citation)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _add_citation(
    app: Sphinx, page: str, _template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    if doctree is None:
        return
    source = Path(app.env.doc2path(page))
    citation = Citation(
        page=page,
        title=app.env.titles[page].astext(),
        author=app.config.author[:1].upper() + app.config.author[1:],
        book=app.config.html_title,
        version=version("nbkit"),
        profile=default_parameters(source).get("profile") if source.suffix == ".ipynb" else None,
        built=time.gmtime(float(os.environ.get("SOURCE_DATE_EPOCH", time.time()))),
    )
    context["body"] += citation_html(citation)


def citation_html(citation: Citation) -> str:
    """What unfolds at the end of a page. book.js fills in the address; the theme's buttons copy."""
    forms = {" ADDRESS": citation.text, "  url = {ADDRESS},\n": citation.bibtex}
    blocks = ""
    for address, form in forms.items():
        place = f'<span data-address="{escape(address)}"></span>'
        blocks += f'<div class="highlight"><pre>{escape(form(PLACEHOLDER)).replace(PLACEHOLDER, place)}</pre></div>'
    return f'<details class="nbkit-cite"><summary>Cite this page</summary>{blocks}</details>'


def _bibtex(text: str) -> str:
    return BIBTEX_SPECIAL.sub(r"\\\1", text)
