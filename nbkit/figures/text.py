"""Text from a corpus in a figure: measured, clipped to a width, and never read as markup."""

import unicodedata
from functools import cache
from itertools import islice

import regex
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import LoadFlags
from matplotlib.patches import FancyBboxPatch, Rectangle

from nbkit.atlas.snippets import Snippet, display_token
from nbkit.atlas.visible import visible_characters
from nbkit.figures.fonts import families_of, font_of, opened
from nbkit.figures.palette import COLD, HEAT, INK
from nbkit.figures.reading_order import reading_order, turned_around

MISSING = "□"
ELLIPSIS = "…"
AFTER = 5  # tokens after the key token, as in the paper

_MEASURED_AT = 100  # points
_CLUSTER = regex.compile(r"\X")
_ACCENT = regex.compile(r"[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
_STACK = regex.compile(rf"{_ACCENT.pattern}{{2}}")
_HEAP = regex.compile(r"(\p{Mn}{3})\p{Mn}+")
_SHAPED = regex.compile(r"[\p{M}\p{Cf}\p{Bidi_Class=R}\p{Bidi_Class=AL}]")
"""In a text whose glyphs depend on each other."""


def drawable(text: str) -> str:
    """`text` with invisible characters shown, and those that no font of this machine has replaced by □.

    Accents that belong to no composed character are left out of a text that puts two of them on a letter, and marks of
    other scripts from the fourth on: stacked, they would run over other lines.
    """
    return _with_glyphs(display_token(text))


def width(text: str, size: float) -> float:
    """How far `text` advances, in points."""
    if _SHAPED.search(text):
        return max(_shaped_width(text), _shaped_width(f"{text}.") - _shaped_width(".")) * size / _MEASURED_AT
    return sum(_advance(char) for char in text) * size / _MEASURED_AT


def clip(text: str, room: float, size: float, more: bool = False, keep_end: bool = False) -> str:
    """The beginning of `text` (its end, with `keep_end`) that fits into `room` points, with an ellipsis where something
    is lost.

    With `more` to follow, whole text leaves room for the ellipsis that may have to stand behind it.
    """
    if width(text, size) + width(ELLIPSIS, size) * more <= room:
        return text
    clusters = _CLUSTER.findall(text)
    while clusters and width("".join(clusters), size) + width(ELLIPSIS, size) > room:
        clusters = clusters[1:] if keep_end else clusters[:-1]
    return ELLIPSIS + "".join(clusters) if keep_end else "".join(clusters) + ELLIPSIS


def draw_snippet(
    ax: Axes,
    snippet: Snippet,
    y: float,
    columns: tuple[float, float, float],
    highest: float,
    color: str,
    size: float = 7.5,
) -> None:
    """Draw a dataset example as one line: what fits before the key token, the key token, five tokens after it.

    Text that is read from the right is laid out from the right.

    Args:
        ax: axes whose unit is the point, y downwards.
        snippet: the example.
        y: the baseline.
        columns: left end of the line, left end of the key token, right end of the line.
        highest: the strength (see `nbkit.models.sign`) that is fully opaque.
        color: outlines the key token.
        size: of the font, in points.
    """
    left, middle, right = columns
    shown = iter(visible_characters("".join(snippet.tokens)))
    texts = [_with_glyphs("".join(islice(shown, len(token)))) for token in snippet.tokens]
    rightmost, leftmost = middle, middle - width(" ", size) * texts[snippet.key].startswith(" ")
    last = min(snippet.key + AFTER, len(texts) - 1)
    line: list[tuple[int, str]] = []
    for i in range(snippet.key, last + 1):
        text = texts[i].lstrip() if i == snippet.key else texts[i]  # key tokens stand under each other
        line.append((i, clip(text, right - rightmost, size, more=i < last)))
        rightmost += width(line[-1][1], size)
        if line[-1][1] != text:
            break
    for i in reversed(range(snippet.key)):
        line.insert(0, (i, clip(texts[i], leftmost - left, size, more=i > 0, keep_end=True)))
        leftmost -= width(line[0][1], size)
        if line[0][1] != texts[i]:
            break
    strengths = snippet.strengths
    gap = {snippet.key: width(texts[snippet.key], size) - width(texts[snippet.key].lstrip(), size)}
    runs, leftward = reading_order([text for _, text in line])
    x = left + right - rightmost if leftward else leftmost
    for place, from_right in runs:
        i, text = line[place]
        x += gap.get(i, 0) * (not leftward)
        outline = color if i == snippet.key else None
        heat = HEAT if snippet.activations[i] > 0 else COLD
        ground = heat, strengths[i] / highest
        _draw_token(ax, turned_around(text) if from_right else text, x, y, size, ground, outline)
        x += width(text, size)


def _draw_token(
    ax: Axes, text: str, x: float, y: float, size: float, ground: tuple[str, float], outline: str | None
) -> None:
    """Draw a token on a color that is as opaque as a share says."""
    heat, share = ground
    visible = text.strip() or text
    start = x + width(text[: len(text) - len(text.lstrip())], size) * bool(text.strip())
    box = (start, y - 0.92 * size), width(visible, size), 1.2 * size
    if share > 0.02:
        ax.add_patch(Rectangle(*box, facecolor=heat, alpha=min(share, 1.0), linewidth=0))
    if outline:
        (bx, by), w, h = box
        ax.add_patch(
            FancyBboxPatch((bx, by), w, h, boxstyle="round,pad=0.8", fill=False, edgecolor=outline, linewidth=1.0)
        )
    if text.strip():
        family = families_of(visible)
        ax.text(start, y, visible, size=size, color=INK, va="baseline", parse_math=False, family=family)


def _with_glyphs(shown: str) -> str:
    composed = unicodedata.normalize("NFC", shown)
    if _STACK.search(composed):
        composed = _ACCENT.sub("", composed)
    composed = _HEAP.sub(r"\1", composed)
    return "".join(char if font_of(char) else MISSING * _is_drawn(char) for char in composed)


def _is_drawn(char: str) -> bool:
    """Whether a character has a shape of its own, and not only a say in that of its neighbors."""
    return unicodedata.category(char) not in ("Cf", "Mn")


@cache
def _advance(char: str) -> float:
    font = opened(font_of(char) or families_of("")[0])
    font.set_size(_MEASURED_AT, 72)
    return font.load_char(ord(char), flags=LoadFlags.NO_HINTING).linearHoriAdvance / 65536


@cache
def _shaped_width(text: str) -> float:
    font = FontProperties(family=families_of(text), size=_MEASURED_AT)
    renderer = RendererAgg(1, 1, 72)  # type: ignore[no-untyped-call]
    return float(renderer.get_text_width_height_descent(text, font, ismath=False)[0])  # type: ignore[no-untyped-call]
