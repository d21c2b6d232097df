"""How a page is cited: text and BibTeX, and what a reader's program makes of hostile titles."""

from __future__ import annotations

import time
from dataclasses import replace

from nbkit.book.citation import Citation, citation_html

CITATION = Citation(
    page="whole-model",
    title="The whole model",
    author="The nbkit authors",
    book="Neuron embeddings",
    version="0.1.0",
    profile="default",
    built=time.gmtime(1_790_000_000),
)


def test_a_page_is_cited_with_version_profile_and_date() -> None:
    assert CITATION.text(" https://example.org/#L1N2") == (
        "The nbkit authors. “The whole model.” Neuron embeddings (nbkit 0.1.0, profile default, built 2026-09-21), "
        "2026. https://example.org/#L1N2"
    )
    assert CITATION.bibtex("  url = {https://example.org/},\n") == (
        "@misc{nbkit-whole-model,\n"
        "  title = {{The whole model}},\n"
        "  author = {{The nbkit authors}},\n"
        "  year = {2026},\n"
        "  note = {Page of Neuron embeddings; nbkit 0.1.0, profile default, built 2026-09-21},\n"
        "  url = {https://example.org/},\n"
        "}"
    )


def test_a_page_without_results_names_no_profile() -> None:
    assert "(nbkit 0.1.0, built 2026-09-21)" in replace(CITATION, profile=None).text()


def test_special_characters_stay_text() -> None:
    hostile = replace(CITATION, title="50% of {a} & <b>_c$")
    assert r"{{50\% of \{a\} \& <b>\_c\$}}" in hostile.bibtex()
    html = citation_html(hostile)
    assert "<b>" not in html and html.count("<span data-address=") == 2
    assert '<span data-address="  url = {ADDRESS},\n"></span>}</pre>' in html
