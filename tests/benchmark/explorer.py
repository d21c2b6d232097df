"""The atlas explorer as a reader meets it: bytes and milliseconds of a first view, of another neuron and of a cut."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, Response, sync_playwright

from nbkit.atlas.atlas import Atlas
from nbkit.book import frontend
from nbkit.book.neuron_links import write_neuron_links
from nbkit.book.notebooks import execute
from nbkit.book.pages import make_pages
from nbkit.explorers.atlas.shard_files import SHARDS_FOLDER, put_shards, site_folder, write_shards
from tests.benchmark.scan import largest_atlas
from tests.browser.chromium import find_or_install_chromium
from tests.browser.page_checks import ATLAS, served
from tests.conftest import BROWSER_FLAGS
from tests.examples.mini_book import REPOSITORY, write_notebook

N_VIEWS, N_NEURONS, N_CUTS = 5, 40, 40
OPEN = ".nk-neuron"
NEXT = """async () => {
  const view = document.querySelector(".nk-atlas");
  const press = (name) => [...view.querySelectorAll("button")].find((b) => b.textContent === name).click();
  const shown = view.querySelector(".nk-neuron");
  const begin = performance.now();
  press("Random");
  while (view.querySelector(".nk-neuron") === shown) await new Promise((done) => setTimeout(done));
  view.querySelector(".nk-cards")?.getBoundingClientRect();
  return performance.now() - begin;
}"""
CUT = """(n) => {
  const slider = document.querySelector(".nk-atlas [role=slider]");
  const times = [];
  for (let i = 0; i < n; i++) {
    const key = i % 20 < 10 ? "PageDown" : "PageUp";
    const begin = performance.now();
    slider.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    document.querySelector(".nk-atlas .nk-cards").getBoundingClientRect(); // lays everything out
    times.push(performance.now() - begin);
  }
  return times;
}"""


def main() -> None:
    atlas, chromium = largest_atlas(), find_or_install_chromium()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        html = build_page(atlas, Path(folder))
        browser = playwright.chromium.launch(executable_path=chromium, args=list(BROWSER_FLAGS))
        with served(html) as address:
            first_views(browser, address)
            with browser.new_page() as page:
                other_neurons(page, address)
                cuts(page, atlas, address)
        browser.close()


def build_page(atlas: Atlas, root: Path) -> Path:
    """A book of one page that holds the explorer; tells what its data cost."""
    write_shards(atlas)  # with what they are made from
    shutil.rmtree(atlas.path / SHARDS_FOLDER)
    begin = time.perf_counter()
    written = write_shards(atlas)
    seconds = time.perf_counter() - begin
    sizes = [path.stat().st_size for path in written.glob("*.js")]
    neurons = max(path.stat().st_size for path in written.glob("neurons-*.js"))
    print(
        f"data of {len(atlas.neurons):,} neurons for a page: {seconds:.0f} s, {sum(sizes) / 1e6:.1f} MB (at most 150)"
    )
    print(f"the largest file with neurons: {neurons / 1e3:.0f} kB (at most 300)")
    staged = root / "book"
    shutil.copytree(REPOSITORY / "book" / "assets", staged / "assets")
    shutil.copyfile(REPOSITORY / "book" / "references.bib", staged / "references.bib")
    frontend.collect(staged / "assets" / "offline")
    source = root / "index.ipynb"
    show = f"import nbkit\nnbkit.explore(nbkit.open_atlas({str(atlas.path)!r}))"
    write_notebook(source, [("markdown", "# An atlas\n\n## All of it", []), ("code", show, ["full-width"])])
    execute({source: {}}, staged)
    (root / "_toc.yml").write_text("format: jb-book\nroot: index\n", encoding="utf-8")
    write_neuron_links(staged / "assets", staged, None)
    html = make_pages(staged, REPOSITORY / "_config.yml", root / "_toc.yml", root / "_build")
    put_shards(atlas, html / site_folder(atlas))
    return html


def first_views(browser: Browser, address: str) -> None:
    """From asking for the page to a neuron that can be read, in a browser that has nothing in its cache."""
    times, weights = [], []
    for _ in range(N_VIEWS):
        context = browser.new_context()
        page = context.new_page()
        received: dict[str, int] = {}

        def count(response: Response, received: dict[str, int] = received) -> None:
            received[response.url] = int(response.headers.get("content-length", 0))

        page.on("response", count)
        begin = time.perf_counter()
        page.goto(address, wait_until="commit")
        page.wait_for_selector(OPEN)
        times.append(time.perf_counter() - begin)
        weights.append({url: n for url, n in received.items() if "/atlases/" in url or url == address})
        context.close()
    print(f"first view: {np.median(times):.2f} s (at most 2), {sum(weights[0].values()) / 1e3:.0f} kB beside what all")
    print(f"  pages share (at most 1,000), the page itself {weights[0][address] / 1e3:.0f} kB of it")


def other_neurons(page: Page, address: str) -> None:
    """From the click to the neuron that is drawn."""
    page.goto(address)
    page.wait_for_selector(OPEN)
    received: list[int] = []
    page.on("response", lambda response: received.append(int(response.headers.get("content-length", 0))))
    times = [float(page.evaluate(NEXT)) for _ in range(N_NEURONS)]
    print(f"another neuron: median {np.median(times):.0f} ms, maximum {max(times):.0f} ms (at most 300), ", end="")
    print(f"median {np.median(received) / 1e3:.0f} kB, maximum {max(received) / 1e3:.0f} kB (at most 300)")


def cuts(page: Page, atlas: Atlas, address: str) -> None:
    """Moving the handle on the neuron with the most examples, and of those the most clusters."""
    row = atlas.neurons.sort_values(["n_examples", "n_clusters"], ascending=False).iloc[0]
    page.goto(f"{address}#L{row['layer']:.0f}N{row['index']:.0f}")
    page.reload()
    page.wait_for_selector(f"{ATLAS} .nk-neuron [role=slider]")
    times = np.array(page.evaluate(CUT, N_CUTS))
    print(f"cut and redraw of {row['n_examples']:.0f} examples: median {np.median(times):.1f} ms, ", end="")
    print(f"maximum {times.max():.1f} ms (at most 16)")


if __name__ == "__main__":
    main()
