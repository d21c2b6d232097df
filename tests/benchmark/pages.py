"""Each page of the built book as a reader meets it who has nothing in the cache and a slow machine."""

from __future__ import annotations

import statistics
from dataclasses import astuple, dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser import page_checks as checks
from tests.browser.chromium import find_or_install_chromium
from tests.conftest import BROWSER_FLAGS
from tests.examples.mini_book import REPOSITORY

SLOWER = 4
"""How many times slower than this machine the reader's is."""
VISITS = 3
READY = ".nk-open > *, .nk-unit, .nk-live svg, .nk-dendrogram svg, .nk-pareto svg, .nk-basis svg, .nk-leaderboard td"
"""Something of each explorer that can be read and touched."""
WATCH = """(ready) => {
  window.blocked = 0;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.blocked += duration - 50;
  }).observe({ type: "longtask", buffered: true });
  const look = () => {
    if (document.querySelector(ready)) window.ready ??= performance.now();
    else requestAnimationFrame(look);
  };
  look();
}"""


@dataclass(frozen=True)
class Load:
    """One cold load of a page."""

    bytes: float
    """Received, from a server that compresses nothing."""
    shown: float
    """Seconds until the first text or picture is there."""
    ready: float
    """Seconds until its explorer answers; without one, until everything is there."""
    blocked: float
    """Seconds in which the page did not answer: of each long task what is above 50 ms."""
    shift: float
    """Cumulative layout shift."""


def main(html: Path = REPOSITORY / "_build/html") -> None:
    """Measures the pages of the book that `make book` has built, the first page and those with explorers against their
    aims."""
    if not (html / "index.html").is_file():
        print("pages: no book is built; run `make book` first")
        return
    chromium = find_or_install_chromium()
    print(
        f"cold loads on a machine {SLOWER} times slower, medians of {VISITS}; aims: 1,000 kB, 2,500 with explorer; 2 s;"
    )
    print(f"  a layout shift of {checks.MOST_SHIFT}")
    with sync_playwright() as playwright, checks.served(html) as address:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(BROWSER_FLAGS))
        for name in checks.page_names(html):
            has_explorer = bool(checks.explorers_of(html, name))
            loads = [load(browser, address, name, has_explorer) for _ in range(VISITS)]
            size, shown, ready, blocked, shift = map(statistics.median, zip(*map(astuple, loads), strict=True))
            what = "explorer" if has_explorer else "all there"
            print(
                f"  {name}: {size / 1e3:,.0f} kB, first seen {shown:.2f} s, {what} {ready:.2f} s, "
                f"blocked {blocked:.2f} s, shift {shift:.3f}"
            )
        browser.close()


def load(browser: Browser, address: str, name: str, has_explorer: bool) -> Load:
    """Open a page in a browser that knows nothing of it."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    received: list[int] = []
    page.on("response", lambda response: received.append(int(response.headers.get("content-length", 0))))
    page.add_init_script(checks.COUNT_SHIFTS)
    page.add_init_script(f"({WATCH})({READY!r})")
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
    page.goto(address + name, wait_until="networkidle")
    paints = "performance.getEntriesByName('first-contentful-paint')"
    page.wait_for_function(f"{paints}.length{' && window.ready' if has_explorer else ''}")
    shown = f"{paints}[0].startTime"
    there = "performance.getEntriesByType('navigation')[0].loadEventEnd"
    ready = "window.ready" if has_explorer else there
    first, last, blocked, shift = page.evaluate(f"[{shown}, {ready}, window.blocked, window.shifted]")
    context.close()
    return Load(sum(received), first / 1e3, last / 1e3, blocked / 1e3, shift)


if __name__ == "__main__":
    main()
