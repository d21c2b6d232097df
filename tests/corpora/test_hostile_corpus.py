"""A corpus that holds markup, from its file through scan, notebook and page into a browser: it shows as text."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser

import nbkit
from nbkit.book import frontend
from nbkit.book.neuron_links import write_neuron_links
from nbkit.book.notebooks import execute
from nbkit.book.pages import make_pages
from tests.browser import page_checks as checks
from tests.examples.hostile_text import fuse_tokens, write_corpora
from tests.examples.mini_book import REPOSITORY

NOTEBOOK = REPOSITORY / "book" / "feature-clusters.ipynb"
REFERRED_TO = ("whole-model", "embedding-spaces", "ground-truth", "every-neuron")
SHOWN = ("<script>", "</scr", "hacked=")
"""Pieces that the dozen characters around an early key token have room for; the tiny model knows only ASCII."""


@pytest.fixture(scope="session")
def hostile_book(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Callable[[str], Path]) -> Path:
    """The real page on the feature clusters of a neuron, once a corpus, made from hostile text by a tiny model."""
    root = tmp_path_factory.mktemp("hostile")
    staged = root / "book"
    shutil.copytree(REPOSITORY / "book", staged, ignore=shutil.ignore_patterns("*.ipynb", "profiles"))
    for name in ("index", *REFERRED_TO):
        (staged / f"{name}.md").write_text(f"# {name}\n", encoding="utf-8")
    model, corpora = Path(shutil.copytree(tiny_folder("llama"), root / "model")), write_corpora(root)
    fuse_tokens(model)
    chapters = "".join(f"  - file: {name}\n" for name in ("references", *REFERRED_TO, *corpora))
    (root / "_toc.yml").write_text(f"format: jb-book\nroot: index\nchapters:\n{chapters}", encoding="utf-8")

    runs = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NBKIT_CACHE", str(root / "cache"))
        for name, corpus in corpora.items():
            atlas = nbkit.atlas_for(str(model), str(corpus), length=32)  # as a build does: no progress bars on the page
            [shown] = atlas.neurons.query("n_clusters > 1").nlargest(1, "n_examples").to_dict("records")
            request = {"profile": "hostile", "model": str(model), "corpus": str(corpus), "length": 32}
            request |= {"layer": shown["layer"], "neuron": shown["index"]}
            runs[Path(shutil.copyfile(NOTEBOOK, root / f"{name}.ipynb"))] = request
        execute(runs, staged)
    for name in corpora:  # a figure's name may stand for one figure of a book only
        path = staged / f"{name}.ipynb"
        path.write_text(path.read_text(encoding="utf-8").replace("fig-clusters", f"fig-{name}"), encoding="utf-8")
    frontend.collect(staged / "assets" / "offline")
    write_neuron_links(staged / "assets", staged, None)
    return make_pages(staged, REPOSITORY / "_config.yml", root / "_toc.yml", root / "_build")


@pytest.mark.parametrize("name", ["text", "lines"])
@pytest.mark.parametrize("by", ["http", "file"])
def test_hostile_text_shows_as_text(browser: Browser, hostile_book: Path, name: str, by: str) -> None:
    with checks.served(hostile_book) as address:
        base = address if by == "http" else hostile_book.as_uri() + "/"
        with checks.visit(browser, base, f"{name}.html") as seen:
            view = checks.explorer(seen.page)
            view.get_by_role("slider").press("End")
            folded = view.get_by_role("button", name="Show all")
            while folded.count():
                folded.first.click()
            shown = "".join(view.locator(".nk-cards").all_text_contents())
            assert not [piece for piece in SHOWN if piece not in shown], shown
            assert view.locator("script, img, iframe").count() == 0
            assert seen.page.locator("img[src='x'], article img[onerror]").count() == 0
            assert seen.page.evaluate("typeof hacked") == "undefined"
            checks.check_needs_no_network(seen)
