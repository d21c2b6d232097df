"""What must hold on every built page, as functions over a folder of pages, whichever book they belong to."""

from __future__ import annotations

import functools
import http.server
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Response, expect

EXPLORER = ".nbkit-explorer"
ATLAS, DENDROGRAM, LATENTS, LIVE, PARETO = ".nk-atlas", ".nk-dendrogram", ".nk-latent", ".nk-live", ".nk-pareto"
MOUNT_POINT = re.compile(r'<div class="nbkit-mount" data-explorer="(\w+)"')
COUNT_SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
Scheme = Literal["light", "dark"]
RULES_OF_COLOR = ("color-contrast", "link-in-text-block")
START_BYTES, PAGE_BYTES, MOST_SHIFT = 1_000_000, 2_500_000, 0.05


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve `folder` on the loopback address; yields its address, ending in a slash."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def reached(folder: Path, by: Literal["http", "file"]) -> Iterator[str]:
    """The address of `folder`, ending in a slash, over http or as files."""
    if by == "file":
        yield folder.as_uri() + "/"
    else:
        with served(folder) as address:
            yield address


@dataclass
class Visit:
    """An open page and what its visit brought to light."""

    page: Page
    outside: list[str] = field(default_factory=list)
    """Requests that did not go to the book."""
    errors: list[str] = field(default_factory=list)
    """Console errors, uncaught exceptions, failed requests."""
    received: int = 0
    """Bytes that came over http, as a server sends them that compresses nothing."""


@contextmanager
def visit(
    browser: Browser,
    base: str,
    name: str,
    *,
    width: int = 1280,
    scheme: Scheme = "light",
) -> Iterator[Visit]:
    """Open the page `name` of the book at `base` in a fresh browser context and wait until it has settled."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    seen = Visit(page)

    def on_request(request: Request) -> None:
        if not request.url.startswith((base, "data:", "blob:")):
            seen.outside.append(request.url)

    def on_response(response: Response) -> None:
        seen.received += int(response.headers.get("content-length", 0))
        if response.status >= 400:
            seen.errors.append(f"{response.status}: {response.url}")

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            seen.errors.append(message.text)

    page.add_init_script(COUNT_SHIFTS)
    page.on("request", on_request)
    page.on("response", on_response)
    page.on("console", on_console)
    page.on("requestfailed", lambda request: seen.errors.append(f"failed: {request.url}"))
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.goto(base + name, wait_until="networkidle")
    yield seen
    context.close()


def page_names(html: Path) -> list[str]:
    """The pages of a book, but those that Sphinx adds."""
    return sorted(path.name for path in html.glob("*.html") if path.stem not in ("genindex", "search"))


def explorers_of(html: Path, name: str) -> list[str]:
    """The classes of the explorers that the source of a page holds."""
    return MOUNT_POINT.findall((html / name).read_text(encoding="utf-8"))


def has_widget_manager(html: Path, name: str) -> bool:
    """Whether a page loads what shows ipywidgets."""
    return "embed-amd.js" in (html / name).read_text(encoding="utf-8")


def page_with(html: Path, kind: str) -> str | None:
    """The first page of a book that holds a widget of this class."""
    return next((name for name in page_names(html) if kind in explorers_of(html, name)), None)


def check_explorers_are_drawn(page: Page, expected: int) -> None:
    """Every widget that the page holds has become an explorer with something in it."""
    drawn = page.locator(EXPLORER)
    expect(drawn).to_have_count(expected)
    for view in drawn.all():
        expect(view.locator(":is(svg, [role=option], tbody tr):visible").first).to_be_visible()


def check_needs_no_network(seen: Visit) -> None:
    """Nothing outside the book was asked for and nothing went wrong."""
    assert not seen.outside, f"asked for {seen.outside}"
    assert not seen.errors, seen.errors


def check_is_light(seen: Visit, name: str) -> None:
    """A page is no more than it may be with all that it loads, and nothing on it moved while it came."""
    most = START_BYTES if name == "index.html" else PAGE_BYTES
    assert seen.received <= most, f"{seen.received:,} bytes"
    shifted = seen.page.evaluate("window.shifted")
    assert shifted < MOST_SHIFT, f"layout shift {shifted:.3f}"


def check_maths_is_typeset(page: Page) -> None:
    """Every formula is a picture with MathML for who hears the page; no script makes them."""
    formulas = page.locator(".math").count()
    expect(page.locator(".math mjx-container > svg")).to_have_count(formulas)
    assert page.locator("mjx-assistive-mml math").count() == formulas
    assert page.evaluate("window.MathJax?.version") is None


def check_fits_the_width(page: Page) -> None:
    """Neither the page nor a part of an explorer has anything to scroll to the side, but lines that fade out at their
    ends and tables in a frame of their own."""
    width, window = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width <= window, f"{width} px in a window of {window}"
    wide = page.evaluate(
        f"[...document.querySelectorAll('{EXPLORER}, {EXPLORER} *:not(svg, svg *)')]"
        ".filter((e) => getComputedStyle(e).display !== 'inline')"
        ".filter((e) => !e.closest('.nk-hidden, .nk-skip, .nk-line, .nk-scroll'))"
        ".filter((e) => getComputedStyle(e).textOverflow !== 'ellipsis')"  # it shows that it is cut
        ".filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => `${e.className}: ${e.textContent}`)"
    )
    assert not wide, wide


def check_pictures_are_described(page: Page) -> None:
    """Every picture of the text has a caption or an alternative text; Sphinx gives its address where there is none."""
    mute = page.evaluate(
        "[...document.querySelectorAll('article img')]"
        ".filter((img) => !img.alt.trim() || img.getAttribute('src').endsWith(img.alt))"
        ".filter((img) => !img.closest('figure')?.querySelector('figcaption')?.textContent.trim())"
        ".map((img) => img.getAttribute('src'))"
    )
    assert not mute, mute


def check_search_finds(browser: Browser, base: str, word: str) -> None:
    """The search page finds `word` without a network."""
    with visit(browser, base, f"search.html?q={word}") as seen:
        expect(seen.page.locator("#search-results ul.search li").first).to_be_visible()
        check_needs_no_network(seen)


def explorer(page: Page) -> Locator:
    """The first dendrogram explorer of a page, drawn."""
    found = page.locator(DENDROGRAM).first
    expect(found.get_by_role("slider")).to_be_visible()
    return found


def groups(view: Locator) -> list[str]:
    """What the cards of an explorer show, and the line above the tree."""
    return [view.get_by_role("status").inner_text(), *view.locator(".nk-card").all_inner_texts()]


def check_handle_moves_by_keyboard(view: Locator) -> None:
    """Arrows, page keys, Home and End move the cut; the groups follow it to one end and the other."""
    slider = view.get_by_role("slider")
    examples = view.get_by_role("listbox").first.get_by_role("option").count()
    slider.focus()
    for key, value in {
        "End": "1.00",
        "PageDown": "0.90",
        "ArrowDown": "0.89",
        "ArrowLeft": "0.88",
        "ArrowUp": "0.89",
        "ArrowRight": "0.90",
        "PageUp": "1.00",
    }.items():
        slider.press(key)
        expect(slider).to_have_attribute("aria-valuetext", value)
    merged = groups(view)
    slider.press("Home")
    expect(slider).to_have_attribute("aria-valuenow", "0.01")
    expect(slider).to_be_focused()
    assert merged != groups(view)
    assert merged[0].endswith("at distance 1.00")
    single = re.fullmatch(r"(\d+) clusters at distance 0\.01", groups(view)[0])
    assert single and 1 < int(single[1]) <= examples  # fewer where examples are all but equal


def check_handle_moves_by_mouse(page: Page, view: Locator) -> None:
    """Dragging the handle changes the groups."""
    slider = view.get_by_role("slider")
    slider.scroll_into_view_if_needed()
    before, start = groups(view), float(slider.get_attribute("aria-valuenow") or "0")
    box = slider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60, steps=5)
    page.mouse.up()
    assert float(slider.get_attribute("aria-valuenow") or "1") < start - 0.05
    assert groups(view) != before


def check_accessible(page: Page, axe: Path, within: str = EXPLORER, rules: Sequence[str] = ()) -> None:
    """axe-core finds no violation inside the explorers, or wherever a selector says; of some rules only, or of all."""
    # colors on their way, and what fades in, are none of the page's; what is out of sight has none before it is seen
    whole = "transition: none !important; animation: none !important; content-visibility: visible !important"
    page.add_style_tag(content=f"* {{ {whole} }}")
    page.add_script_tag(path=axe)
    options: dict[str, object] = {"resultTypes": ["violations"]}  # describing all that passes takes most of the time
    if rules:
        options["runOnly"] = list(rules)
    result: dict[str, Any] = page.evaluate(
        "([within, options]) => axe.run({ include: [[within]] }, options)", [within, options]
    )
    assert result["passes"], "axe-core looked at nothing"
    found = [(v["id"], [node["target"] for node in v["nodes"]][:3]) for v in result["violations"]]
    assert not found, found


def check_accessible_in(page: Page, axe: Path, scheme: Scheme, within: str = EXPLORER) -> None:
    """axe-core finds no violation in a theme. Light comes first; dark differs in colors, so it is asked for those."""
    page.emulate_media(color_scheme=scheme)
    expect(page.locator("html")).to_have_attribute("data-theme", scheme)
    check_accessible(page, axe, within, RULES_OF_COLOR if scheme == "dark" else ())


def widen(page: Page, width: int) -> None:
    """Give the window another width and wait until the page has followed."""
    page.set_viewport_size({"width": width, "height": 900})
    for _ in range(2):  # explorers draw anew in the frame after the one in which they learn of it
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def check_figures_are_of(page: Page, scheme: Scheme) -> None:
    """Of each figure that picture is shown which was drawn for this theme, as it is, on the page's own ground."""
    other = {"light": "dark", "dark": "light"}[scheme]
    assert page.locator(f".nbkit-figure img.nbkit-{other}:visible").count() == 0
    shown = page.locator(f".nbkit-figure img.nbkit-{scheme}")
    assert shown.count() == page.locator(".nbkit-figure").count()
    looks = shown.evaluate_all(
        "all => all.map((e) => [e, e.closest('.text_html')].map((at) => getComputedStyle(at)))"
        ".map(([own, plate]) => [own.display !== 'none', own.filter, plate.backgroundColor].join(' '))"
    )
    assert set(looks) <= {"true none rgba(0, 0, 0, 0)"}, set(looks)
