"""What a page of a book loads: what it needs, and no more."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nbkit.book.weight import ICON_RULE, NEEDED_BY, lighten, without_the_unneeded
from tests.examples.mini_book import REPOSITORY

HEAD = """<head>
<link href="_static/styles/theme.css?digest=1" rel="stylesheet"/>
<link href="_static/sphinx-design.min.css?v=1" rel="stylesheet" type="text/css"/>
<script defer="" src="_static/scripts/fontawesome.js?digest=1"></script>
<link as="script" href="_static/scripts/bootstrap.js?digest=1" rel="preload"/>
<script src="_static/documentation_options.js?v=1"></script>
<script src="_static/copybutton.js?v=1"></script>
<script>DOCUMENTATION_OPTIONS.pagename = 'index';</script>
<script defer="defer" src="_static/offline/mathjax/tex-mml-chtml.js?v=1"></script>
<script data-jupyter-widgets-cdn="_no_cdn_/" src="_static/offline/embed-amd.js"></script>
<script src="searchindex.js"></script>
</head>
"""


def loaded(page: str) -> list[str]:
    return re.findall(r'(?:src|href)="[^"]*?([\w.-]+\.(?:js|css))', page.partition("</head>")[0])


@pytest.mark.parametrize(
    ("body", "more"),
    [
        ("<p>Words.</p>", []),
        ('<div class="sd-card">', ["sphinx-design.min.css"]),
        ('<div class="book-sd-card sdk">', []),
        ('<div class="highlight-ipython3 notranslate"><div class="highlight">', ["copybutton.js"]),
        ('<script type="application/vnd.jupyter.widget-state+json">', ["tex-mml-chtml.js"]),
        ('<div id="search-results">', ["searchindex.js"]),
    ],
)
def test_a_page_loads_what_it_needs(body: str, more: list[str]) -> None:
    always = {"theme.css", "bootstrap.js", "documentation_options.js", "embed-amd.js"}
    found = loaded(without_the_unneeded(f"<html>{HEAD}<body>{body}</body></html>"))
    assert set(found) == always | set(more)
    assert found == [name for name in loaded(HEAD) if name in found]


def test_no_script_stops_the_reading_of_a_page() -> None:
    made = without_the_unneeded(f'<html>{HEAD}<body><div class="highlight"></body></html>')
    assert '<script defer src="_static/documentation_options.js?v=1">' in made
    assert "<script type=\"module\">DOCUMENTATION_OPTIONS.pagename = 'index';" in made
    assert '<script defer data-jupyter-widgets-cdn="_no_cdn_/" src=' in made  # in order: require.js comes before it
    search = without_the_unneeded(f'<html>{HEAD}<body><div id="search-results"></body></html>')
    assert '<script src="searchindex.js">' in search and "module" not in search


def test_a_page_is_seen_when_it_is_read_to_its_end() -> None:
    made = without_the_unneeded(f'<html>{HEAD}<body><footer class="bd-footer-content"></footer></body></html>')
    assert '<link blocking="render" href="#page-end" rel="expect"/>\n</head>' in made
    assert '<footer id="page-end" class="bd-footer-content">' in made


def test_the_rules_of_icons_go_and_others_stay() -> None:
    style = (
        "/* a */.fa{font-weight:900}.fade{opacity:0}.fa-bell:before,.fa-ring:before{content:'x'}.fab,.far{color:red}"
        "@font-face{font-family:Font Awesome\\ 6 Free;src:url(x)}@font-face{font-family:Other;src:url(y)}"
        "@keyframes fa-beat{0%,to{scale:1}45%{scale:2}}.bd-search .fa-bell{left:0}@media print{.nav{display:none}}"
    )
    left = ".fade{opacity:0}@font-face{font-family:Other;src:url(y)}.bd-search .fa-bell{left:0}"
    assert ICON_RULE.sub("", style) == f"/* a */{left}@media print{{.nav{{display:none}}}}"


def test_every_icon_of_a_page_is_drawn(mini_book: Path) -> None:
    drawn = set(re.findall(r"^\.(fa-[\w-]+) \{\n  --icon", (REPOSITORY / "book/assets/icons.css").read_text(), re.M))
    for page in mini_book.glob("*.html"):
        classes = re.findall(r'class="([^"]*\bfa-[^"]*)"', page.read_text(encoding="utf-8"))
        named = {name for each in classes for name in each.split() if name.startswith("fa-")}
        assert named and named - {"fa-solid", "fa-lg"} <= drawn, page.name


def test_no_character_of_the_icon_font_is_left(mini_book: Path) -> None:
    ours = (REPOSITORY / "book/assets/icons.css").read_text(encoding="utf-8")
    themes = [path.read_text(encoding="utf-8") for path in (mini_book / "_static/styles").glob("*.css")]
    named = {name for text in themes for name in re.findall('(--pst-[\\w-]+):"[\ue000-\uf8ff]"', text)}
    assert named and not [name for name in named if f"{name}:" not in ours and not name.endswith(("hub", "lab"))]
    direct = [found for text in themes for found in re.findall(r'([^{}]+):after\{content:"\\f', text)]
    assert direct and all(f"{selector}::after" in ours for selector in direct)


def test_a_folder_of_pages_keeps_no_file_that_no_page_loads(mini_book: Path) -> None:
    assert not list(mini_book.rglob("*fontawesome*")) and not list(mini_book.rglob("*.map"))
    for page in mini_book.rglob("*.html"):
        for name in re.findall(r'(?:src|href)="((?:_static/|[\w-]+\.js)[^"?#]*)', page.read_text(encoding="utf-8")):
            assert (page.parent / name).exists(), f"{page.name}: {name}"
    assert all(re.compile(files) for files, _ in NEEDED_BY)


def test_pages_in_folders_find_the_style_of_formulas(tmp_path: Path) -> None:
    (tmp_path / "_static" / "styles").mkdir(parents=True)
    (tmp_path / "deep").mkdir()
    formula = '<html><head></head><body><span class="math notranslate">\\(x\\)</span></body></html>'
    for name in ("page.html", "deep/page.html"):
        (tmp_path / name).write_text(formula, encoding="utf-8")
    (tmp_path / "plain.html").write_text("<html><head></head><body></body></html>", encoding="utf-8")
    lighten(tmp_path)
    assert 'href="_static/maths.css"' in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert 'href="../_static/maths.css"' in (tmp_path / "deep/page.html").read_text(encoding="utf-8")
    assert "maths.css" not in (tmp_path / "plain.html").read_text(encoding="utf-8")
    assert (tmp_path / "_static/maths.css").exists()
